using System.Text.Json;
using System.Text.Json.Nodes;
using ContainerMigrate.Api;
using ContainerMigrate.Containers;
using ContainerMigrate.Journal;
using ContainerMigrate.Memory;
using ContainerMigrate.Protocol;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>
/// Everything on the source from GO on. Only the destination's durable word decides; until it has come the container stays frozen
/// here. Works from the journal alone, so that a restarted daemon carries on where the last one died.
/// </summary>
public sealed partial class SourceHandover(MigrationEnvironment environment, ILogger logger)
{
    // A container runs a moment after GO. On a link that is silent in one direction TCP waits for a quarter of an hour; a new connection finds out.
    private static readonly TimeSpan AnswersWithin = TimeSpan.FromSeconds(15);

    /// <summary>Asks until the destination has answered, then destroys or gives back the source's copy and closes the journal.</summary>
    /// <param name="journal">At <see cref="MigrationPhase.Go"/> or later.</param>
    /// <param name="peer">The destination.</param>
    /// <param name="progress">Told of each step.</param>
    /// <param name="cancellationToken">The daemon stops; the journal keeps everything.</param>
    /// <returns>The destination's last word: committed, or aborted.</returns>
    public async Task<PeerState> RunAsync(IMigrationJournal journal, IPeer peer, MigrationProgress progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(journal);
        ArgumentNullException.ThrowIfNull(peer);
        ArgumentNullException.ThrowIfNull(progress);
        progress.Decision.Open();
        PeerState state;
        try
        {
            state = await AskAsync(journal, peer, progress, cancellationToken);
        }
        finally
        {
            progress.Decision.Close();
        }

        if (state.Phase == MigrationPhase.Aborted)
        {
            if (journal.Phase != MigrationPhase.Aborted)
            {
                TryRecord(journal, MigrationPhase.Aborted, FailureData(state.Failure ?? new MigrationFailure(peer.Name, "commit", state.Detail)));
            }

            progress.Update(s => s with { Phase = MigrationPhase.Aborted });
            await new SourceRollback(environment, logger).RunAsync(journal, cancellationToken);
            if (MigrationTransitions.IsFinal(journal.Phase))
            {
                journal.Close();
            }
        }

        return state;
    }

    /// <summary>Destroys the source's copy once the destination runs, tells the destination, and closes the journal.</summary>
    /// <param name="journal">At <see cref="MigrationPhase.Committed"/> or later.</param>
    /// <param name="peer">The destination.</param>
    /// <param name="progress">Told of each step.</param>
    /// <param name="result">Asked for the figures once all is done, with those of a post-copy; they stay in the journal. Null when they are lost.</param>
    /// <param name="cancellationToken">The daemon stops; the journal keeps everything.</param>
    public async Task CleanUpAsync(IMigrationJournal journal, IPeer peer, MigrationProgress progress, Func<MemoryArrival?, MigrationResult>? result, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(journal);
        ArgumentNullException.ThrowIfNull(peer);
        ArgumentNullException.ThrowIfNull(progress);
        var id = journal.Value(JournalKeys.ContainerId)!.GetValue<string>();
        var runtime = environment.Runtime(journal.Value(JournalKeys.Runtime)!.GetValue<string>());
        var postCopy = new PostCopyDeparture(environment, journal, logger);
        MemoryArrival? arrival = null;
        var isResolved = journal.Value(JournalKeys.Resolved) is not null;
        if (journal.Phase == MigrationPhase.Committed)
        {
            if (!isResolved)
            {
                // Until then this copy is the only place where some of the container's memory is.
                arrival = await postCopy.WaitAsync(peer, progress, cancellationToken);
                progress.Say("making the destination's files durable");
                await RetryAsync(async () => await peer.SettleAsync(journal.MigrationId, cancellationToken), "making the destination's files durable", cancellationToken);
            }

            progress.Say("removing the source's copy");
            var reference = new ContainerReference(runtime.Name, id, journal.Value(JournalKeys.ContainerName)!.GetValue<string>());
            var cgroup = journal.Value(JournalKeys.Cgroup)?.GetValue<string>();
            await RetryAsync(async () =>
            {
                postCopy.End();
                if (cgroup is not null)
                {
                    await environment.Checkpoints.UndoAsync(cgroup, journal.Directory);
                }

                await runtime.DestroyAsync(reference, cancellationToken);
                if (cgroup is not null)
                {
                    environment.Freezer.RemoveEmpty(cgroup);
                }

                if (!isResolved)
                {
                    // Whether they have arrived is known of a destination that has said so itself.
                    await new DepartingVolumes(environment, logger).RemoveAsync(journal, runtime, cancellationToken);
                }

                // Before the record: a mark that is left behind would keep a container of that id from ever starting here again.
                environment.Refusals.Allow(id);
                CheckpointImages.Delete(journal.Directory);
                journal.Append(MigrationPhase.Destroyed);
            }, "removing the source's copy", cancellationToken);
        }

        if (journal.Phase == MigrationPhase.Destroyed)
        {
            await RetryAsync(async () =>
            {
                var state = await peer.FinishAsync(journal.MigrationId, cancellationToken);
                if (state.Phase == MigrationPhase.Committed)
                {
                    throw new MigrationException(new MigrationFailure(peer.Name, "finish", "it has not taken it up since its restart"));
                }

                if (isResolved && state.Phase is not MigrationPhase.Done)
                {
                    LogLost(peer.Name, state.Phase);
                    progress.Update(s => s with
                    {
                        ExitCode = ExitCodes.Lost,
                        Failure = new MigrationFailure(peer.Name, "commit", $"it says {state.Phase}, and has never run the container; the copy here was removed since an operator decided so", "start the container afresh; its volumes are still here"),
                    });
                    journal.Append(MigrationPhase.Done, new JsonObject { [JournalKeys.ExitCode] = ExitCodes.Lost });
                    return;
                }

                journal.Append(MigrationPhase.Done, result is null ? null : new JsonObject { [JournalKeys.Result] = JsonSerializer.SerializeToNode(result(arrival), JournalJson.Default.MigrationResult) });
            }, "telling the destination", cancellationToken);
        }

        journal.Close();
    }

    /// <summary>What a failure is recorded as.</summary>
    public static JsonObject FailureData(MigrationFailure failure) =>
        new() { [JournalKeys.Failure] = JsonSerializer.SerializeToNode(failure, JournalJson.Default.MigrationFailure) };

    private async Task<PeerState> AskAsync(IMigrationJournal journal, IPeer peer, MigrationProgress progress, CancellationToken cancellationToken)
    {
        var policy = journal.Value(JournalKeys.RestartPolicy) as JsonObject ?? [];
        while (true)
        {
            string reason;
            try
            {
                // GO is recorded here and carries the epoch: saying it again is the same as asking.
                using var patience = new CancellationTokenSource(AnswersWithin, environment.Time);
                using var attempt = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
                var answer = peer.GoAsync(journal.MigrationId, new GoRequest(journal.Epoch, (JsonObject)policy.DeepClone()), attempt.Token);
                if (await Task.WhenAny(answer, progress.Decision.Asked) != answer)
                {
                    await attempt.CancelAsync();
                }

                var state = await answer;
                switch (state.Phase)
                {
                    case MigrationPhase.Committed or MigrationPhase.Done when state.Running:
                        journal.Append(MigrationPhase.Committed);
                        progress.Update(s => s with { Phase = MigrationPhase.Committed });
                        return state;
                    case MigrationPhase.Aborted:
                        return state;
                    default:
                        reason = $"it is at {state.Phase} and does not run the container: {state.Detail}";
                        break;
                }
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                reason = $"{peer.Name} has not answered";
            }
            catch (Exception e) when (IsWorthRepeating(e))
            {
                reason = e.Message;
            }

            if (progress.Decision.Winner is { } winner && Decide(journal, winner, progress) is { } decided)
            {
                return decided;
            }

            if (journal.Phase != MigrationPhase.InDoubt)
            {
                LogInDoubt(peer.Name, reason);
                TryRecord(journal, MigrationPhase.InDoubt, null);
            }

            progress.Update(s => s with { Phase = MigrationPhase.InDoubt, Activity = $"the container stays frozen here until {peer.Name} answers: {reason}" });
            await Task.WhenAny(Task.Delay(environment.Limits.RetryDelay, environment.Time, cancellationToken), progress.Decision.Asked);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    // The destination, should it come back, is told of the later epoch: what it has committed is held still there.
    private PeerState? Decide(IMigrationJournal journal, string winner, MigrationProgress progress)
    {
        var failure = new MigrationFailure(environment.HostName, "commit", "an operator decided that the container stays here", "see to it that the other host does not run it");
        try
        {
            if (winner == Winners.Source)
            {
                var data = FailureData(failure);
                data[JournalKeys.Resolved] = winner;
                data[JournalKeys.PeerTold] = false;
                journal.Append(MigrationPhase.Aborted, data, journal.Epoch + 1);
            }
            else
            {
                journal.Append(MigrationPhase.Committed, new JsonObject { [JournalKeys.Resolved] = winner });
                progress.Update(s => s with { Phase = MigrationPhase.Committed });
            }
        }
        catch (IOException e)
        {
            progress.Decision.Answer($"it could not be recorded: {e.Message}");
            return null;
        }

        LogResolved(winner);
        progress.Decision.Answer(null);
        return new PeerState(journal.Phase, journal.Epoch, winner == Winners.Destination, "", winner == Winners.Source ? failure : null);
    }

    private async Task RetryAsync(Func<Task> step, string what, CancellationToken cancellationToken)
    {
        string? said = null;
        while (true)
        {
            string reason;
            try
            {
                await step();
                return;
            }
            catch (Exception e) when (IsWorthRepeating(e))
            {
                reason = e.Message;
            }

            if (said != reason)
            {
                LogRetry(what, said = reason);
            }

            await Task.Delay(environment.Limits.RetryDelay, environment.Time, cancellationToken);
        }
    }

    // A full disk is one: nobody else can take these steps, and it may have room again later.
    private static bool IsWorthRepeating(Exception e) => e is PeerUnreachableException or MigrationException or IOException;

    // For steps that a restarted daemon finds out again by asking: the destination's word is durable over there.
    private void TryRecord(IMigrationJournal journal, MigrationPhase phase, JsonObject? data)
    {
        try
        {
            journal.Append(phase, data);
        }
        catch (IOException e)
        {
            LogNotRecorded(phase, e.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "in doubt: the container stays frozen here until {Peer} says whether it runs there ({Reason}); `ctmigrate resolve` shows both journals, and lets an operator decide")]
    private partial void LogInDoubt(string peer, string reason);

    [LoggerMessage(LogLevel.Warning, "an operator has decided: the container belongs to the {Winner}")]
    private partial void LogResolved(string winner);

    [LoggerMessage(LogLevel.Error, "the container is lost: an operator decided that {Peer} has it, which says {Phase} and has never run it")]
    private partial void LogLost(string peer, MigrationPhase phase);

    [LoggerMessage(LogLevel.Error, "{Phase} could not be recorded: {Reason}")]
    private partial void LogNotRecorded(MigrationPhase phase, string reason);

    [LoggerMessage(LogLevel.Warning, "{What} failed and is tried again: {Reason}")]
    private partial void LogRetry(string what, string reason);
}
