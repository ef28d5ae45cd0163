using ContainerMigrate.Api;

namespace ContainerMigrate.Cli.Reporting;

/// <summary>What <c>ctmigrate resolve ID</c> prints: both hosts' journals in the order of time, side by side.</summary>
internal static class JournalsText
{
    public static void Write(StandardStreams streams, JournalsReport report, TimeProvider time)
    {
        var status = report.Status;
        var output = streams.Output;
        output.WriteLine(OneLine.Of($"{status.Id}  {status.Runtime}:{status.Container}  {status.Source} -> {status.Destination}"));
        output.WriteLine();
        var table = new TextTable();
        table.Add("AT", report.Source.Host, report.Destination.Host);
        var lines = report.Source.Lines.Select(l => (Line: l, IsSource: true)).Concat(report.Destination.Lines.Select(l => (Line: l, IsSource: false))).OrderBy(l => l.Line.At);
        foreach (var (line, isSource) in lines)
        {
            var text = line.Note.Length > 0 ? $"{line.Phase}: {line.Note}" : $"{line.Phase}";
            text = line.Epoch > 1 ? $"{text} (epoch {line.Epoch})" : text;
            table.Add(FormattableString.Invariant($"{TimeZoneInfo.ConvertTime(line.At, time.LocalTimeZone):HH:mm:ss.fff}"), isSource ? text : "", isSource ? "" : text);
        }

        table.Write(output, streams.FoldWidth, streams.Colors, "  ");
        foreach (var view in (JournalView[])[report.Source, report.Destination])
        {
            if (view.Missing.Length > 0)
            {
                output.WriteLine(OneLine.Of($"  the journal of {view.Host} cannot be shown: {view.Missing}"));
            }
            else if (view.Lines.Count == 0)
            {
                output.WriteLine(OneLine.Of($"  {view.Host} knows nothing of this migration"));
            }
        }

        output.WriteLine();
        output.WriteLine(OneLine.Of(report.Decides));
        foreach (var choice in report.Choices)
        {
            output.WriteLine();
            output.WriteLine(OneLine.Of($"ctmigrate resolve {status.Id} --winner {choice.Winner}"));
            output.WriteLine(OneLine.Of($"  {choice.Risk}"));
        }
    }
}
