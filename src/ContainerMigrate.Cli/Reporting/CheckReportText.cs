using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Cli.Units;

namespace ContainerMigrate.Cli.Reporting;

/// <summary>The table of <c>ctmigrate check</c>: findings of both hosts, worst first, then the estimate and the verdict.</summary>
internal static class CheckReportText
{
    /// <param name="skip">What the operator gave to <c>--skip</c>.</param>
    public static void Write(StandardStreams streams, CheckReport report, IReadOnlyList<string> skip)
    {
        var output = streams.Output;
        output.WriteLine(OneLine.Of($"{report.Runtime}:{report.Container}  {report.Source} -> {report.Destination}"));
        output.WriteLine();
        var table = new TextTable(StatusColor.Of);
        foreach (var finding in report.Findings.OrderByDescending(f => f.Severity))
        {
            table.Add(Word(finding, skip), finding.Check, finding.Host, WithHint(finding.Message, finding.Hint));
        }

        var quiet = report.Checked.Where(name => report.Findings.All(f => f.Check != name)).ToList();
        if (quiet.Count > 0)
        {
            table.Add("ok", "", "", string.Join(", ", quiet));
        }

        table.Write(output, streams.FoldWidth, streams.Colors, "  ");
        output.WriteLine();
        WriteMounts(streams, report);
        WriteEstimate(output, report);
        WriteVerdict(output, report, skip);
    }

    private static void WriteMounts(StandardStreams streams, CheckReport report)
    {
        if (report.Mounts.Count == 0)
        {
            return;
        }

        var table = new TextTable();
        foreach (var mount in report.Mounts)
        {
            var place = mount.Source.Length > 0 && mount.Source != mount.Target ? $"{mount.Target} ({mount.Source})" : mount.Target;
            table.Add(mount.Kind, OneLine.Of(place), Describe(mount));
        }

        table.Write(streams.Output, streams.FoldWidth, streams.Colors, "  ");
        streams.Output.WriteLine();
    }

    /// <summary>What becomes of a mount, in words.</summary>
    private static string Describe(MountReport mount) => mount.Action switch
    {
        "copy" => $"goes along: {ByteSize.Format(mount.Bytes)}, {mount.Entries} entries",
        "replace" => $"goes along in place of what is there: {ByteSize.Format(mount.Bytes)}, {mount.Entries} entries",
        "shared" => "shared by both hosts: nothing to copy",
        "same" => "the same on both hosts: nothing to copy",
        "empty" => "empty on the destination",
        "skip" => "as it is on the destination",
        "memory" => "goes with the container's memory",
        _ => "cannot go along",
    };

    private static void WriteEstimate(TextWriter output, CheckReport report)
    {
        var image = report.ImageBytesToSend > 0 ? $"{ByteSize.Format(report.ImageBytesToSend)} of its image" : "no image data";
        output.WriteLine($"to send: {ByteSize.Format(report.MemoryBytes)} memory, {ByteSize.Format(report.WritableLayerBytes + report.Mounts.Where(m => m.Action is "copy" or "replace").DistinctBy(m => (m.Kind, m.Source, m.Source.Length > 0 ? "" : m.Target)).Sum(m => m.Bytes))} files, {image}");
        output.WriteLine(report.PredictedPauseMs is { } pause
            ? $"predicted pause: {Duration.FormatMilliseconds(pause)} ({OneLine.Of(ModeText(report.Mode, report.Tracker))}; {OneLine.Of(Basis(report))})"
            : $"predicted pause: not known ({OneLine.Of(report.Mode)})");
    }

    /// <summary>How memory moves, in the words of the settings.</summary>
    internal static string ModeText(string mode, string tracker) => tracker.Length == 0 ? mode : $"{mode}, {tracker}";

    private static string Basis(CheckReport report) => report.PredictedFrom switch
    {
        0 => $"from constants: nothing has moved to {report.Destination} this way yet",
        1 => $"learned from 1 earlier migration to {report.Destination}",
        var count => $"learned from the last {count} migrations to {report.Destination}",
    };

    private static void WriteVerdict(TextWriter output, CheckReport report, IReadOnlyList<string> skip)
    {
        if (report.Ok)
        {
            output.WriteLine(OneLine.Of($"{report.Container} can move to {report.Destination}"));
            return;
        }

        var names = report.Findings
            .Where(f => f.Severity == CheckSeverity.Error && !skip.Contains(f.Check))
            .Select(f => f.Check)
            .Distinct()
            .ToList();
        output.WriteLine(OneLine.Of($"{report.Container} cannot move to {report.Destination}: see {string.Join(", ", names)}"));
        output.WriteLine($"to try it all the same: --skip {string.Join(',', skip.Concat(names))}");
    }

    /// <summary>How a finding weighs, in one word.</summary>
    public static string Word(CheckFinding finding, IReadOnlyList<string> skip) => finding.Severity switch
    {
        CheckSeverity.Error when skip.Contains(finding.Check) => "skipped",
        CheckSeverity.Error => "error",
        CheckSeverity.Warning => "warning",
        _ => "info",
    };

    private static string WithHint(string message, string? hint) =>
        hint is null ? OneLine.Of(message) : $"{OneLine.Of(message)}\nnext: {OneLine.Of(hint)}";
}
