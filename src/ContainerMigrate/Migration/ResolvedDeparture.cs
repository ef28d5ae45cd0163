using System.Text.Json.Nodes;
using ContainerMigrate.Journal;
using ContainerMigrate.Protocol;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>
/// After an operator has decided for the source without the destination: tells that as soon as it answers, also across restarts, so that a copy which it has committed is held
/// there.
/// </summary>
public sealed partial class ResolvedDeparture(MigrationEnvironment environment, ILogger logger)
{
    /// <summary>True when a destination has not acknowledged yet.</summary>
    public static bool HasToTell(IMigrationJournal journal)
    {
        ArgumentNullException.ThrowIfNull(journal);
        return journal is { Phase: MigrationPhase.Aborted, IsClosed: true } && journal.Value(JournalKeys.Resolved) is not null && journal.Value(JournalKeys.PeerTold)?.GetValue<bool>() is not true;
    }

    /// <param name="journal">Closed, by an operator's decision.</param>
    /// <param name="peer">The destination.</param>
    /// <param name="progress">Of a migration that has ended.</param>
    /// <param name="cancellationToken">The daemon stops; the next one tells.</param>
    public async Task TellAsync(IMigrationJournal journal, IPeer peer, MigrationProgress progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(journal);
        ArgumentNullException.ThrowIfNull(peer);
        ArgumentNullException.ThrowIfNull(progress);
        while (true)
        {
            try
            {
                var state = await peer.AbortAsync(journal.MigrationId, new AbortRequest(journal.Epoch, $"an operator of {environment.HostName} decided that the container stays there"), cancellationToken);
                if (state.Phase is MigrationPhase.Aborted or MigrationPhase.New || state.Overruled)
                {
                    Acknowledge(journal, peer, progress, state);
                    return;
                }

                LogRefused(peer.Name, state.Phase);
                progress.Update(s => s with
                {
                    DestinationState = state.Running ? "running" : "unknown",
                    Failure = Conflict(peer, $"{peer.Name} is at {state.Phase} and does not give its copy up: there may be two", $"remove the container on {peer.Name}, or here"),
                });
            }
            catch (Exception e) when (e is PeerUnreachableException or MigrationException)
            {
                LogNotTold(peer.Name, e.Message);
            }

            await Task.Delay(environment.Limits.RetryDelay, environment.Time, cancellationToken);
        }
    }

    private void Acknowledge(IMigrationJournal journal, IPeer peer, MigrationProgress progress, PeerState state)
    {
        var told = new JsonObject { [JournalKeys.PeerTold] = true };
        if (state.Overruled)
        {
            var failure = Conflict(
                peer, $"{peer.Name} had committed, and ran the container or could have: its copy is held still there, frozen and cut off",
                $"save what is needed of its files, then remove it on {peer.Name}");
            told[JournalKeys.Failure] = SourceHandover.FailureData(failure)[JournalKeys.Failure]!.DeepClone();
            LogConflict(failure.ToString());
            progress.Update(s => s with { Failure = failure, DestinationState = "frozen" });
        }
        else
        {
            progress.Update(s => s with { DestinationState = "absent" });
        }

        try
        {
            journal.Close(told);
        }
        catch (IOException e)
        {
            LogNotTold(peer.Name, e.Message); // told once more after a restart, which changes nothing
        }
    }

    private MigrationFailure Conflict(IPeer peer, string cause, string next) =>
        new(peer.Name, "commit", $"CONFLICT: an operator of {environment.HostName} decided that the container stays there, but {cause}", next);

    [LoggerMessage(LogLevel.Debug, "{Peer} could not be told of the operator's decision: {Reason}")]
    private partial void LogNotTold(string peer, string reason);

    [LoggerMessage(LogLevel.Error, "CONFLICT: {Peer} is at {Phase} and does not give its copy up")]
    private partial void LogRefused(string peer, MigrationPhase phase);

    [LoggerMessage(LogLevel.Error, "{Failure}")]
    private partial void LogConflict(string failure);
}
