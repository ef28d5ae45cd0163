using System.Text.Json.Nodes;
using ContainerMigrate.Journal;
using ContainerMigrate.Protocol;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Migration;

/// <summary>The switchover of a container that is stopped instead of frozen: its files go, its processes end here and begin anew on the destination.</summary>
internal sealed class OfflineSwitchover(
    MigrationEnvironment environment, IPeer peer, IMigrationJournal journal, SourceStreams streams, SourceFiles files, PhaseClock clock, MigrationProgress progress)
{
    private const string Stage = "switchover";

    /// <param name="log">How far the log has gone ahead.</param>
    /// <param name="step">Records a step.</param>
    /// <exception cref="MigrationException">It did not stop, or the destination refused; from the record on a rollback starts it again.</exception>
    public async Task RunAsync(MigrationPlan plan, LogPosition log, Action<MigrationPhase, string, JsonObject?> step, CancellationToken cancellationToken)
    {
        var container = plan.Container;
        if (await plan.Runtime.FindLifeAsync(container.Reference, cancellationToken) is var life && life.InitPid != container.InitPid)
        {
            // Before the record: what somebody else has ended is not ours to start again.
            throw new MigrationException(Stage, "the container did not go on running until it was to be stopped");
        }

        step(MigrationPhase.Frozen, "stopping", new JsonObject { [JournalKeys.Stopped] = true });
        environment.Refusals.Refuse(container.Reference.Id, $"this container is being handed over to {peer.Name} (migration {journal.MigrationId}); `ctmigrate status {journal.MigrationId}` tells how it stands");
        clock.Restart();
        await plan.Runtime.StopAsync(container.Reference, cancellationToken);
        clock.Mark("stop");
        progress.Say("sending changed files");
        // In this order: the layer's arrival makes the destination place what it has.
        await Task.WhenAll(files.ScanRestAsync(cancellationToken), streams.SendLogAsync(container, log, cancellationToken));
        await files.SendRestAsync(cancellationToken);
        clock.Mark("files");
        await peer.PrepareAsync(journal.MigrationId, new PrepareRequest(journal.Epoch), cancellationToken);
        clock.Mark("prepare");
        if (await plan.Runtime.FindLifeAsync(container.Reference, cancellationToken) is { InitPid: > 0 } or { Exists: false })
        {
            throw new MigrationException(Stage, "the container did not stay stopped until it was handed over");
        }
    }
}
