using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Cli.Reporting;

/// <summary>How a migration ended, as the command line tells it.</summary>
/// <param name="ExitCode">One of <see cref="ExitCodes"/>.</param>
/// <param name="SourceState">See <see cref="MigrationStatus.SourceState"/>.</param>
/// <param name="DestinationState">See <see cref="MigrationStatus.DestinationState"/>.</param>
internal sealed record MigrationVerdict(int ExitCode, string SourceState, string DestinationState)
{
    /// <summary>True when nothing more will happen. The phase does not tell: after a final one the hosts may still be cleaned up.</summary>
    public static bool HasEnded(MigrationStatus status) => status.EndedAt is not null;

    /// <summary>True for a dry run that found nothing against the migration.</summary>
    public static bool IsDryRun(MigrationStatus status) =>
        status is { Phase: MigrationPhase.Done, Result: null, DestinationState: "absent" };

    /// <summary>Reads it off the last status; what the daemon left out follows from the phase.</summary>
    public static MigrationVerdict Of(MigrationStatus status) => new(
        status.ExitCode ?? ExitCodeOf(status),
        status.SourceState ?? status.Phase switch
        {
            MigrationPhase.Done or MigrationPhase.Destroyed => "removed",
            MigrationPhase.Aborted => "running",
            _ => "frozen",
        },
        status.DestinationState ?? status.Phase switch
        {
            MigrationPhase.Done or MigrationPhase.Destroyed or MigrationPhase.Committed => "running",
            MigrationPhase.Aborted => "absent",
            _ => "unknown",
        });

    /// <summary>One sentence: where the container is, and what each host was left with.</summary>
    public string Describe(MigrationStatus status)
    {
        if (status.PostCopy is { IsComplete: false } memory && !HasEnded(status))
        {
            var left = $"{ByteSize.Format(memory.MissingBytes)} of its memory are still on {status.Source}, which keeps its copy frozen";
            return memory.Lost is not null ? $"{status.Container} stands still on {status.Destination} for good; part of its memory is lost"
                : memory.Paused is not null ? $"{status.Container} stands still on {status.Destination}; {left}"
                : $"{status.Container} runs on {status.Destination}; {left}";
        }

        var (container, source, destination) = (status.Container, status.Source, status.Destination);
        var here = SourceState switch
        {
            "running" => $"{container} runs on {source} as before",
            "paused" => $"{container} is paused on {source} as before",
            "frozen" => $"{container} is frozen on {source}",
            "stopped" => DestinationState is "running" or "paused" ? $"a stopped copy of {container} is kept on {source}" : $"{container} does not run on {source} any more",
            "removed" => $"{container} is gone from {source}",
            _ => $"the state of {container} on {source} is not known",
        };
        var there = DestinationState switch
        {
            "absent" => status.KeptBytes > 0 ? $"nothing but {ByteSize.Format(status.KeptBytes)} of its files is kept on {destination}, for a day: the next attempt sends only the rest" : $"nothing is left on {destination}",
            "saved" => $"all of it is in {destination}",
            "held" => $"{destination} holds a rebuilt copy that has not run",
            "running" => $"{container} runs on {destination}",
            "paused" => $"{container} is paused on {destination}",
            "frozen" => $"a copy of {container} is held frozen on {destination}",
            _ => $"what {destination} holds is not known until it answers",
        };
        // A file is as it was, whatever became of what was made of it.
        return source.StartsWith('/') ? there : $"{here}; {there}";
    }

    private static int ExitCodeOf(MigrationStatus status) => status.Phase switch
    {
        _ when status.PostCopy is { Lost: not null } => ExitCodes.Lost,
        _ when status.PostCopy is { Paused: not null } => ExitCodes.PostCopyPaused,
        MigrationPhase.Done or MigrationPhase.Destroyed or MigrationPhase.Committed => ExitCodes.Done,
        MigrationPhase.Go or MigrationPhase.InDoubt => ExitCodes.InDoubt,
        _ when status.Failure?.Stage is "check" or "reserve" => ExitCodes.Refused,
        _ when status.Failure is null && status.Findings.Any(f => f.Severity == CheckSeverity.Error) => ExitCodes.Refused,
        _ => ExitCodes.FailedSourceRunning,
    };
}
