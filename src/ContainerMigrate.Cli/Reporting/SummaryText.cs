using ContainerMigrate.Api;
using ContainerMigrate.Checks;

namespace ContainerMigrate.Cli.Reporting;

/// <summary>What is printed once a migration has ended well.</summary>
internal static class SummaryText
{
    /// <summary>Writes nothing for a migration that failed: see <see cref="ErrorText"/>.</summary>
    public static void Write(TextWriter output, MigrationStatus status, MigrationVerdict verdict)
    {
        if (verdict.ExitCode != ExitCodes.Done)
        {
            return;
        }

        if (status.Result is not { } result)
        {
            // A dry run that found nothing, or the destination's side of a migration.
            output.WriteLine($"done: {OneLine.Of(verdict.Describe(status))}");
            return;
        }

        output.WriteLine(MigrationText.Done(result));
        if (MigrationText.PauseParts(result) is { } parts)
        {
            output.WriteLine($"  {parts}");
        }

        if (verdict.SourceState is "stopped")
        {
            output.WriteLine($"  {OneLine.Of(verdict.Describe(status))}");
        }
    }

    /// <summary><c>warning: h2: clock: 42 ms ahead of h1</c></summary>
    public static string Warning(CheckFinding finding) => OneLine.Of($"warning: {finding.Host}: {finding.Check}: {finding.Message}");
}
