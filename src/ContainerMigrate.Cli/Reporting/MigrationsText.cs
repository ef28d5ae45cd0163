using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Cli.Units;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Cli.Reporting;

/// <summary>What <c>ctmigrate status</c> and <c>ctmigrate history</c> print.</summary>
internal static class MigrationsText
{
    public static void WriteUnderWay(StandardStreams streams, MigrationList list, TimeProvider time)
    {
        var underWay = list.Migrations.Where(m => !MigrationVerdict.HasEnded(m)).ToList();
        if (underWay.Count == 0)
        {
            streams.Output.WriteLine("no migration is under way");
            return;
        }

        var table = new TextTable();
        table.Add("ID", "CONTAINER", "FROM", "TO", "FOR", "STAGE");
        foreach (var m in underWay)
        {
            var transfer = MigrationText.Transfer(m);
            table.Add(
                m.Id, m.Container, m.Source, m.Destination, Duration.Format(time.GetUtcNow() - m.StartedAt),
                transfer.Length > 0 ? $"{MigrationText.Stage(m)}  {transfer}" : MigrationText.Stage(m));
        }

        table.Write(streams.Output, streams.FoldWidth, streams.Colors);
    }

    public static void WriteHistory(StandardStreams streams, MigrationList list, TimeProvider time)
    {
        if (list.Migrations.Count == 0)
        {
            streams.Output.WriteLine("no migration has finished here");
            return;
        }

        var table = new TextTable();
        table.Add("STARTED", "ID", "CONTAINER", "FROM", "TO", "TOTAL", "RESULT");
        foreach (var m in list.Migrations.OrderBy(m => m.StartedAt))
        {
            table.Add(
                Local(m.StartedAt, time), m.Id, m.Container, m.Source, m.Destination,
                m.EndedAt is { } ended ? Duration.Format(ended - m.StartedAt) : "-",
                Outcome(m));
        }

        table.Write(streams.Output, streams.FoldWidth, streams.Colors);
    }

    public static void WriteOne(StandardStreams streams, MigrationStatus status, TimeProvider time)
    {
        var output = streams.Output;
        output.WriteLine(OneLine.Of($"{status.Id}  {status.Runtime}:{status.Container}  {status.Source} -> {status.Destination}"));
        var ended = MigrationVerdict.HasEnded(status);
        var table = new TextTable();
        table.Add("this host", status.Role);
        table.Add("mode", CheckReportText.ModeText(status.Mode, status.Tracker));
        table.Add("started", Local(status.StartedAt, time));
        table.Add(ended ? "result" : "stage", ended ? Outcome(status) : MigrationText.Stage(status));
        if (!ended && MigrationText.Transfer(status) is { Length: > 0 } transfer)
        {
            table.Add("sent", transfer);
        }

        if (!ended && status.FileRounds.Count > 0)
        {
            table.Add("files", MigrationText.FilesSoFar(status));
        }

        if (!ended && status.PostCopy is { } left)
        {
            table.Add("left", ByteSize.Format(left.MissingBytes));
        }

        if (status.Result is { } result)
        {
            table.Add("sent", result.WireBytes > 0
                ? $"{ByteSize.Format(result.SentBytes)} ({ByteSize.Format(result.WireBytes)} on the wire)"
                : ByteSize.Format(result.SentBytes));
            if (MigrationText.Files(result) is { } files)
            {
                table.Add("", files);
            }

            if (MigrationText.PauseParts(result) is { } parts)
            {
                table.Add("", parts);
            }

            if (MigrationText.PostCopy(result) is { } memory)
            {
                table.Add("", memory);
            }

            if (MigrationText.KeptPackets(result) is { } packets)
            {
                table.Add("", packets);
            }
        }

        if (!ended && status.Phase is MigrationPhase.InDoubt or MigrationPhase.Go)
        {
            table.Add("decides", $"{status.Destination}, as soon as it answers; ctmigrate resolve {status.Id} shows both journals, and decides without it");
        }

        if (ended && status.Failure is { } failure && status.ExitCode is ExitCodes.Done)
        {
            table.Add("but", failure.Cause);
        }

        if (status.Failure?.NextStep is { } next)
        {
            table.Add("next", next);
        }

        foreach (var finding in status.Findings)
        {
            table.Add(CheckReportText.Word(finding, []), $"{finding.Host}: {finding.Check}: {finding.Message}");
        }

        if (ended || status.Phase == MigrationPhase.InDoubt || status.PostCopy is not null)
        {
            table.Add("now", MigrationVerdict.Of(status).Describe(status));
        }

        table.Write(output, streams.FoldWidth, streams.Colors, "  ");
    }

    /// <summary><c>done, pause 231 ms</c>, <c>cancelled</c>, <c>h2: restore: no space left</c></summary>
    private static string Outcome(MigrationStatus status)
    {
        var verdict = MigrationVerdict.Of(status);
        return verdict.ExitCode switch
        {
            ExitCodes.Done when status.Result is { } result =>
                $"done, pause {Duration.FormatMilliseconds(result.PauseMs)}, total {Duration.FormatMilliseconds(result.TotalMs)}",
            ExitCodes.Done when MigrationVerdict.IsDryRun(status) => "dry run, nothing against it",
            ExitCodes.Done => "done",
            ExitCodes.Cancelled => "cancelled",
            ExitCodes.PostCopyPaused => "post-copy paused",
            ExitCodes.InDoubt => "in doubt",
            ExitCodes.Refused or ExitCodes.DryRunFoundProblems => $"refused: {Reason(status)}",
            _ => $"failed: {Reason(status)}",
        };
    }

    private static string Reason(MigrationStatus status) =>
        status.Failure is { } failure ? $"{failure.Host}: {failure.Stage}: {failure.Cause}"
        : status.Findings.FirstOrDefault(f => f.Severity == Checks.CheckSeverity.Error) is { } finding ? $"{finding.Host}: {finding.Check}: {finding.Message}"
        : "no reason recorded";

    private static string Local(DateTimeOffset moment, TimeProvider time) =>
        FormattableString.Invariant($"{TimeZoneInfo.ConvertTime(moment, time.LocalTimeZone):yyyy-MM-dd HH:mm:ss}");
}
