using ContainerMigrate.Api;
using ContainerMigrate.Checks;

namespace ContainerMigrate.Cli.Reporting;

/// <summary>What is printed once a migration has ended well.</summary>
internal static class SummaryText
{
    /// <summary>Writes nothing for a migration that failed: see <see cref="ErrorText"/>.</summary>
    public static void Write(StandardStreams streams, MigrationStatus status, MigrationVerdict verdict)
    {
        if (verdict.ExitCode != ExitCodes.Done)
        {
            return;
        }

        if (status.Result is not { } result)
        {
            // Without figures: a dry run, or the destination's side of a migration.
            WriteFolded(
                streams,
                MigrationVerdict.IsDryRun(status)
                    ? $"dry run: {status.Container} can move to {status.Destination}; nothing was touched"
                    : $"done: {verdict.Describe(status)}",
                "  ");
            return;
        }

        WriteFolded(streams, MigrationText.Done(result, status.Mode, verdict.DestinationState == "saved"), "  ");
        if (MigrationText.PauseParts(result) is { } parts)
        {
            WriteFolded(streams, $"  {parts}", "    ");
        }

        if (MigrationText.Files(result) is { } files)
        {
            WriteFolded(streams, $"  {files}", "    ");
        }

        if (MigrationText.PostCopy(result) is { } memory)
        {
            WriteFolded(streams, $"  {memory}", "    ");
        }

        if (MigrationText.KeptPackets(result) is { } packets)
        {
            WriteFolded(streams, $"  {packets}", "    ");
        }

        if (verdict.SourceState is "stopped" || verdict.DestinationState is "saved")
        {
            WriteFolded(streams, $"  {verdict.Describe(status)}", "    ");
        }
    }

    /// <summary>
    /// What the operator should know of a migration that goes on all the same: <c>warning: h2: clock: 42 ms ahead of h1</c>. An error
    /// that did not stop it was skipped.
    /// </summary>
    public static IEnumerable<string> Warnings(MigrationStatus status) =>
        from finding in status.Findings
        where finding.Severity == CheckSeverity.Warning || (finding.Severity == CheckSeverity.Error && !MigrationVerdict.HasEnded(status))
        let word = finding.Severity == CheckSeverity.Error ? "skipped" : "warning"
        select OneLine.Of($"{word}: {finding.Host}: {finding.Check}: {finding.Message}");

    private static void WriteFolded(StandardStreams streams, string text, string indent)
    {
        foreach (var line in Folding.Fold(OneLine.Of(text), streams.FoldWidth, indent))
        {
            streams.Output.WriteLine(line);
        }
    }
}
