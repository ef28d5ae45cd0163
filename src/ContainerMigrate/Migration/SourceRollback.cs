using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Journal;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>
/// Gives the container back to its users on the source: the exact inverse of the freeze, from what the journal says. Every step is
/// idempotent, so that it can be repeated after a crash.
/// </summary>
public sealed partial class SourceRollback(MigrationEnvironment environment, ILogger logger)
{
    /// <summary>Undoes what <paramref name="journal"/> says was done; <see cref="MigrationPhase.Aborted"/> must be recorded before.</summary>
    public async Task RunAsync(IMigrationJournal journal, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(journal);
        environment.Remaining.Remove(journal.MigrationId); // what is asked for now would be of a container that runs
        if (journal.Value(JournalKeys.ContainerId)?.GetValue<string>() is not { } id
            || journal.Value(JournalKeys.Runtime)?.GetValue<string>() is not { } runtimeName)
        {
            return; // nothing was touched
        }

        var reference = new ContainerReference(runtimeName, id, journal.Value(JournalKeys.ContainerName)?.GetValue<string>() ?? id);
        GiveCpuBack(journal, reference.Name);
        var wasStopped = journal.Value(JournalKeys.Stopped)?.GetValue<bool>() is true;
        if (wasStopped)
        {
            environment.Refusals.Allow(id);
            await StartAgainAsync(environment.Runtime(runtimeName), reference, cancellationToken);
        }
        else if (journal.Records.Any(r => r.Phase == MigrationPhase.Frozen))
        {
            await UnfreezeAsync(journal, cancellationToken);
        }
        else
        {
            await environment.Checkpoints.LetGoAsync(journal.Directory);
        }

        environment.Refusals.Allow(id);
        if (journal.Value(JournalKeys.RestartPolicy) is JsonObject policy)
        {
            try
            {
                await environment.Runtime(runtimeName).ReturnRestartPolicyAsync(reference, policy, cancellationToken);
            }
            catch (MigrationException e)
            {
                // The container runs; a missing policy is worth a word and no more.
                LogPolicyLost(reference.Name, e.Failure.Cause);
            }
        }

        CheckpointImages.Delete(journal.Directory);
    }

    // Until the runtime answers: after a power cut we are often there before it.
    private async Task StartAgainAsync(IContainerRuntime runtime, ContainerReference reference, CancellationToken cancellationToken)
    {
        string? said = null;
        while (true)
        {
            try
            {
                // A stop that an earlier life of this daemon has asked for may not be over, and what is being stopped cannot be started.
                if ((await runtime.FindLifeAsync(reference, cancellationToken)).InitPid > 0)
                {
                    await runtime.StopAsync(reference, cancellationToken);
                }

                await runtime.StartAsync(reference, cancellationToken);
                return;
            }
            catch (MigrationException e)
            {
                if (said is null)
                {
                    LogNotStarted(reference.Name, said = e.Failure.Cause);
                }

                if ((await runtime.GetStatusAsync(cancellationToken)).Available)
                {
                    return; // it has said no
                }
            }

            await Task.Delay(environment.Limits.RetryDelay, environment.Time, cancellationToken);
        }
    }

    private void GiveCpuBack(IMigrationJournal journal, string container)
    {
        try
        {
            CpuThrottle.GiveBack(environment.Cpu, journal);
        }
        catch (MigrationException e)
        {
            LogThrottleLeft(container, e.Failure.Cause);
        }
    }

    private async Task UnfreezeAsync(IMigrationJournal journal, CancellationToken cancellationToken)
    {
        var cgroup = journal.Value(JournalKeys.Cgroup)!.GetValue<string>();
        var pid = journal.Value(JournalKeys.InitPid)!.GetValue<int>();
        var network = $"/proc/{pid}/ns/net";
        try
        {
            await environment.Fence.LiftAsync(network, cancellationToken);
        }
        finally
        {
            // Also behind a fence that stays: running and cut off is less lost than frozen.
            await ThawAsync(cgroup, journal.Directory, paused: journal.Value(JournalKeys.Paused)?.GetValue<bool>() is true, cancellationToken);
        }

        try
        {
            // The destination may have attached the same MAC address meanwhile: switches have to learn the old port again.
            await environment.Announcer.AnnounceAsync(network, cancellationToken);
        }
        catch (MigrationException e)
        {
            LogNotAnnounced(e.Failure.Cause);
        }
    }

    private async Task ThawAsync(string cgroup, string directory, bool paused, CancellationToken cancellationToken)
    {
        try
        {
            await environment.Checkpoints.UndoAsync(cgroup, directory);
        }
        finally
        {
            if (!paused)
            {
                await environment.Freezer.ThawAsync(cgroup, cancellationToken);
            }
        }
    }

    [LoggerMessage(LogLevel.Error, "{Container} could not be started again: {Cause}")]
    private partial void LogNotStarted(string container, string cause);

    [LoggerMessage(LogLevel.Error, "{Container} could not be given its processor time back: {Cause}")]
    private partial void LogThrottleLeft(string container, string cause);

    [LoggerMessage(LogLevel.Warning, "the restart policy of {Container} could not be given back: {Cause}")]
    private partial void LogPolicyLost(string container, string cause);

    [LoggerMessage(LogLevel.Warning, "addresses were not announced after the rollback: {Cause}")]
    private partial void LogNotAnnounced(string cause);
}
