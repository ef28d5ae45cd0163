using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Tests.Migration;

/// <summary>Keeps the contract of the gate: one decision, which outlives the daemon.</summary>
internal sealed class ArrivingContainer(DaemonLife life, Machine machine, Arrival arrival) : ITargetContainer
{
    public const string LayerDirectory = "/nowhere/layer";

    public const string Cgroup = "/sys/fs/cgroup/docker/arrived";

    public string Id => "c0ffee";

    public string WritableLayerDirectory => LayerDirectory;

    public string? LogFile => "/nowhere/log";

    public IReadOnlyDictionary<string, string> MountDirectories => Samples.MountDirectories;

    public string? NetworkNamespacePath => arrival.Held || arrival.Running ? "/proc/4711/ns/net" : null;

    public string? CgroupDirectory => arrival.Held || arrival.Running ? Cgroup : null;

    public Task BeginAsync(CancellationToken cancellationToken) => life.StepAsync("begin", () => { }, cancellationToken);

    public async Task<int> RestoreAsync(string imagesDirectory, string workDirectory, bool lazy, Func<string, Task> fenced, CancellationToken cancellationToken)
    {
        await fenced("/proc/4711/ns/net");
        await life.StepAsync("restore", () => arrival.Held = arrival.Commit is null, cancellationToken);
        return 4711;
    }

    public async Task<bool> ClaimCommitAsync(CancellationToken cancellationToken)
    {
        if (arrival.Offline)
        {
            await life.StepAsync("claim", () => { }, cancellationToken);
            return true;
        }

        await life.StepAsync("claim", () => arrival.Commit ??= arrival.Held, cancellationToken);
        return arrival.Commit == true;
    }

    public Task FenceOpened => Task.CompletedTask;

    public Task Resumed => Task.CompletedTask;

    public async Task ReleaseAsync(CancellationToken cancellationToken)
    {
        if (arrival is { Offline: true, DiesBeforeItRuns: false })
        {
            await life.StepAsync("start", () => arrival.Running = true, cancellationToken);
            return;
        }

        await life.StepAsync("release", arrival.DiesBeforeItRuns ? () => arrival.Held = false : machine.EndGate, cancellationToken);
        if (arrival.DiesBeforeItRuns)
        {
            throw new MigrationException("commit", "the restore failed");
        }
    }

    public bool HasNeverRun => arrival is { DiesBeforeItRuns: true, Commit: true, Held: false } or { DiesBeforeItRuns: true, Offline: true };

    public async Task<bool> TryAbortAsync(string reason)
    {
        if (arrival.Offline)
        {
            return true;
        }

        await life.StepAsync("try abort", () =>
        {
            arrival.Commit ??= false;
            arrival.Held &= arrival.Commit.Value;
        }, CancellationToken.None);
        return arrival.Commit != true;
    }

    public Task FinishAsync(JsonObject restartPolicy, CancellationToken cancellationToken) =>
        life.StepAsync("give policy", () => arrival.Policy = restartPolicy.ToJsonString(), cancellationToken);

    public Task RemoveAsync(CancellationToken cancellationToken) => life.StepAsync("remove", () => machine.Arrival = null, cancellationToken);

    public Task<TargetContainerState> GetStateAsync(CancellationToken cancellationToken) =>
        Task.FromResult(machine.Arrival is null ? TargetContainerState.Missing
            : arrival.Running ? TargetContainerState.Running
            : arrival.Held ? TargetContainerState.Held : TargetContainerState.Created);
}
