using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Journal;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>
/// The source's operator has decided for the source although this host had committed: the copy here is held still, and nobody starts it again, until somebody here
/// removes it. What it has done meanwhile is in its files, so it is not removed unasked.
/// </summary>
internal sealed partial class OverruledArrival(MigrationEnvironment environment, IMigrationJournal journal, ContainerManifest manifest, string peer, MigrationProgress progress, ILogger logger)
{
    private static readonly TimeSpan FreezeTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RemovalInterval = TimeSpan.FromSeconds(2);

    /// <summary>It is held, or about to be.</summary>
    public bool IsHeld => journal.Value(JournalKeys.Overruled) is not null;

    /// <summary>Records it, then holds the container; after a restart only the latter.</summary>
    /// <param name="container">Null when it is gone.</param>
    /// <param name="reason">The source's; null when it is recorded.</param>
    /// <param name="epoch">The source's.</param>
    public async Task HoldAsync(ITargetContainer? container, string? reason, int epoch)
    {
        if (reason is not null)
        {
            journal.Append(MigrationPhase.Committed, new JsonObject { [JournalKeys.Overruled] = reason }, epoch);
        }

        var failure = new MigrationFailure(
            environment.HostName, "commit", $"{manifest.Name} was committed here, but an operator of {peer} decided that it belongs there: the copy here is held still, frozen and cut off",
            $"save what is needed of its files, then remove it here (docker rm -f {manifest.Name}, or runc delete -f)");
        LogHeld(failure.ToString());
        progress.Update(s => s with { Phase = MigrationPhase.Committed, Failure = failure, Activity = $"CONFLICT: {failure.Cause}", DestinationState = "frozen", SourceState = "running" });
        if (container is null)
        {
            return;
        }

        environment.Refusals.Refuse(container.Id, $"this container belongs to {peer}, as an operator there decided (migration {journal.MigrationId})");
        if (container.CgroupDirectory is { } cgroup)
        {
            await environment.Freezer.FreezeAsync(cgroup, FreezeTimeout, CancellationToken.None);
        }

        if (container.NetworkNamespacePath is { } network)
        {
            await environment.Fence.RaiseAsync(network, CancellationToken.None);
        }

        // Last: it asks the runtime, which may not answer. Until then a start is refused all the same.
        await environment.Runtime(manifest.Runtime).SuspendRestartPolicyAsync(new ContainerReference(manifest.Runtime, container.Id, manifest.Name), CancellationToken.None);
    }

    /// <summary>Returns once somebody has removed the container.</summary>
    public async Task WaitForRemovalAsync(ITargetContainer? container, CancellationToken cancellationToken)
    {
        while (container is not null && await GetStateAsync(container, cancellationToken) != TargetContainerState.Missing)
        {
            await Task.Delay(RemovalInterval, environment.Time, cancellationToken);
        }

        if (container is not null)
        {
            environment.Refusals.Allow(container.Id);
        }
    }

    private static async Task<TargetContainerState?> GetStateAsync(ITargetContainer container, CancellationToken cancellationToken)
    {
        try
        {
            return await container.GetStateAsync(cancellationToken);
        }
        catch (MigrationException)
        {
            return null; // the runtime does not answer just now
        }
    }

    [LoggerMessage(LogLevel.Error, "CONFLICT: {Failure}")]
    private partial void LogHeld(string failure);
}
