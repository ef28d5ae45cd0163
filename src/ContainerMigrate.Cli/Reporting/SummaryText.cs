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
            // A dry run that found nothing, or the destination's side of a migration.
            WriteFolded(streams, $"done: {verdict.Describe(status)}", "  ");
            return;
        }

        WriteFolded(streams, MigrationText.Done(result), "  ");
        if (MigrationText.PauseParts(result) is { } parts)
        {
            WriteFolded(streams, $"  {parts}", "    ");
        }

        if (verdict.SourceState is "stopped")
        {
            WriteFolded(streams, $"  {verdict.Describe(status)}", "    ");
        }
    }

    /// <summary><c>warning: h2: clock: 42 ms ahead of h1</c></summary>
    public static string Warning(CheckFinding finding) => OneLine.Of($"warning: {finding.Host}: {finding.Check}: {finding.Message}");

    private static void WriteFolded(StandardStreams streams, string text, string indent)
    {
        foreach (var line in Folding.Fold(OneLine.Of(text), streams.FoldWidth, indent))
        {
            streams.Output.WriteLine(line);
        }
    }
}
