using System.Text.Json;
using ContainerMigrate.Api;
using ContainerMigrate.Journal;
using ContainerMigrate.Protocol;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>After a start of the daemon: carries on a departure that has recorded GO, undoes any other.</summary>
public sealed partial class SourceRecovery(MigrationEnvironment environment, ILogger logger)
{
    /// <summary>Ends with the journal closed, unless the peer is needed and not known any more.</summary>
    /// <param name="journal">Not closed.</param>
    /// <param name="peer">The destination; null when it is not paired any more.</param>
    /// <param name="progress">Told of each step.</param>
    /// <param name="cancellationToken">The daemon stops again; the journal keeps everything.</param>
    public async Task RunAsync(IMigrationJournal journal, IPeer? peer, MigrationProgress progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(journal);
        ArgumentNullException.ThrowIfNull(progress);
        switch (journal.Phase)
        {
            case MigrationPhase.Go or MigrationPhase.InDoubt or MigrationPhase.Committed or MigrationPhase.Destroyed when peer is null:
                progress.Update(s => s with { Activity = $"{s.Destination} is not paired any more: only it knows who owns the container; pair it again" });
                return;
            case MigrationPhase.Go or MigrationPhase.InDoubt or MigrationPhase.Committed or MigrationPhase.Destroyed:
                await HandOverAsync(journal, peer!, progress, cancellationToken);
                return;
            case MigrationPhase.Done:
                journal.Close();
                EndDone(progress);
                return;
            default:
                await UndoAsync(journal, peer, progress, cancellationToken);
                return;
        }
    }

    private async Task HandOverAsync(IMigrationJournal journal, IPeer peer, MigrationProgress progress, CancellationToken cancellationToken)
    {
        await new PostCopyDeparture(environment, journal, logger).ResumeAsync(cancellationToken);
        var handover = new SourceHandover(environment, logger);
        if (journal.Phase is MigrationPhase.Go or MigrationPhase.InDoubt && (await handover.RunAsync(journal, peer, progress, cancellationToken)).Phase == MigrationPhase.Aborted)
        {
            EndAborted(progress, journal);
            return;
        }

        await handover.CleanUpAsync(journal, peer, progress, null, cancellationToken);
        EndDone(progress);
    }

    private async Task UndoAsync(IMigrationJournal journal, IPeer? peer, MigrationProgress progress, CancellationToken cancellationToken)
    {
        if (journal.Phase != MigrationPhase.Aborted)
        {
            journal.Append(MigrationPhase.Aborted, SourceHandover.FailureData(new MigrationFailure(environment.HostName, "recovery", "ctmigrated was restarted before GO", "migrate again")));
        }

        if (journal.Value(JournalKeys.FreezesInRounds)?.GetValue<bool>() is true && journal.Records.All(r => r.Phase != MigrationPhase.Frozen))
        {
            await environment.Freezer.ThawAsync(journal.Value(JournalKeys.Cgroup)!.GetValue<string>(), cancellationToken);
        }

        await new SourceRollback(environment, logger).RunAsync(journal, cancellationToken);
        if (peer is not null)
        {
            try
            {
                await peer.AbortAsync(journal.MigrationId, new AbortRequest(journal.Epoch, "the source was restarted before GO"), cancellationToken);
            }
            catch (Exception e) when (e is PeerUnreachableException or MigrationException)
            {
                LogPeerNotTold(peer.Name, e.Message); // its lease ends
            }
        }

        journal.Close();
        EndAborted(progress, journal);
    }

    private void EndDone(MigrationProgress progress) =>
        progress.Update(s => s with
        {
            Phase = MigrationPhase.Done, Activity = "", Failure = s.ExitCode == ExitCodes.Lost ? s.Failure : null, EndedAt = environment.Time.GetUtcNow(), ExitCode = s.ExitCode ?? ExitCodes.Done,
            SourceState = "removed", DestinationState = s.ExitCode == ExitCodes.Lost ? "absent" : "running",
        });

    private void EndAborted(MigrationProgress progress, IMigrationJournal journal) =>
        progress.Update(s => s with
        {
            Phase = MigrationPhase.Aborted, Activity = "", EndedAt = environment.Time.GetUtcNow(), ExitCode = ExitCodes.FailedSourceRunning,
            SourceState = journal.Value(JournalKeys.Paused)?.GetValue<bool>() is true ? "paused" : "running",
            DestinationState = journal.Value(JournalKeys.Resolved) is null ? s.DestinationState : "unknown",
            Failure = journal.Value(JournalKeys.Failure) is { } node ? node.Deserialize(JournalJson.Default.MigrationFailure) : s.Failure,
        });

    [LoggerMessage(LogLevel.Warning, "{Peer} could not be told of the abort, its lease will end: {Reason}")]
    private partial void LogPeerNotTold(string peer, string reason);
}
