using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Cli.Daemon;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Cli.Reporting;

/// <summary>Errors on the standard error stream: one line each, the next step below it.</summary>
internal static class ErrorText
{
    private const string CheckStage = "check";

    public static void Write(TextWriter error, string message, string? nextStep = null)
    {
        error.WriteLine($"ctmigrate: {OneLine.Of(message)}");
        if (nextStep is not null)
        {
            error.WriteLine($"  next: {OneLine.Of(nextStep)}");
        }
    }

    public static void Write(TextWriter error, DaemonException failure) =>
        Write(
            error,
            failure.Failure is { } f ? (f.Host.Length > 0 ? $"{f.Host}: {f.Stage}: {f.Cause}" : $"{f.Stage}: {f.Cause}") : failure.Message,
            failure.NextStep);

    /// <summary>Why a migration did not move the container, and what each host was left with.</summary>
    /// <param name="skip">Checks whose errors were not the reason.</param>
    public static void Write(TextWriter error, MigrationStatus status, MigrationVerdict verdict, IReadOnlyList<string> skip)
    {
        if (status.Phase == MigrationPhase.InDoubt)
        {
            Write(error, MigrationText.Stage(status), $"ctmigrate watch {status.Id}; the daemon goes on asking {status.Destination}, which alone decides; should it never come back: ctmigrate resolve {status.Id}");
            return;
        }

        if (status.PostCopy is { Paused: not null } && !MigrationVerdict.HasEnded(status) && status.Failure is { } paused)
        {
            Write(error, $"{paused.Host}: {paused.Stage}: {paused.Cause}", $"{paused.NextStep}; `ctmigrate watch {status.Id}` follows it");
            error.WriteLine($"  {OneLine.Of(verdict.Describe(status))}");
            return;
        }

        var errors = status.Findings.Where(f => f.Severity == CheckSeverity.Error && !skip.Contains(f.Check)).ToList();
        if (status.Failure is { } failure && (failure.Stage != CheckStage || errors.Count == 0))
        {
            Write(error, $"{failure.Host}: {failure.Stage}: {failure.Cause}", failure.NextStep);
        }
        else
        {
            // A failure at the check stage only sums up what the findings say better, each with its own next step.
            foreach (var finding in errors)
            {
                Write(error, $"{finding.Host}: {finding.Check}: {finding.Message}", finding.Hint);
            }
        }

        error.WriteLine($"  {OneLine.Of(verdict.Describe(status))}");
    }
}
