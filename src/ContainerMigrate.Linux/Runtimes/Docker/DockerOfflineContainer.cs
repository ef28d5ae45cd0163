using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Runtimes.Oci;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>
/// A container that comes with its files alone, and is started as any other once it is committed. Until then the runtime wrapper refuses its start, so that
/// nobody else starts it beside the one on the source.
/// </summary>
internal sealed class DockerOfflineContainer(
    DockerClient client, DockerInspector inspector, DockerImages images, DockerOptions options, ContainerManifest manifest, DockerCreator.Made made, StartRefusal refusal) : ITargetContainer
{
    // A time that dockerd gives for what has never happened (time.Time's zero).
    private const string Never = "0001-01-01T00:00:00Z";

    /// <inheritdoc/>
    public string Id => made.Id;

    /// <inheritdoc/>
    public string WritableLayerDirectory => made.UpperDirectory;

    /// <inheritdoc/>
    public string? LogFile => made.LogFile;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> MountDirectories => made.MountDirectories;

    /// <inheritdoc/>
    public Task FenceOpened { get; } = new TaskCompletionSource().Task;

    /// <inheritdoc/>
    public Task Resumed { get; } = new TaskCompletionSource().Task;

    /// <inheritdoc/>
    public bool HasNeverRun { get; private set; }

    /// <inheritdoc/>
    public string? NetworkNamespacePath { get; private set; }

    /// <inheritdoc/>
    public string? CgroupDirectory { get; private set; }

    /// <summary>Keeps everybody from starting it.</summary>
    public void Hold(string migrationId) =>
        refusal.Refuse(Id, $"this container is arriving and belongs to its source until it is committed (migration {migrationId}); `ctmigrate status {migrationId}` tells how it stands");

    /// <inheritdoc/>
    public Task BeginAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task<int> RestoreAsync(string imagesDirectory, string workDirectory, bool lazy, Func<string, Task> fenced, CancellationToken cancellationToken) =>
        throw new InvalidOperationException("it is started, not restored");

    /// <inheritdoc/>
    /// <remarks>The record of the commit decides: nothing runs here that could decide by itself.</remarks>
    public Task<bool> ClaimCommitAsync(CancellationToken cancellationToken) => Task.FromResult(true);

    /// <inheritdoc/>
    public async Task ReleaseAsync(CancellationToken cancellationToken)
    {
        refusal.Allow(Id);
        await DockerRuntime.CallAsync("commit", async () =>
        {
            try
            {
                await client.PostAsync($"/containers/{Id}/start", body: null, cancellationToken, options.StartTimeout);
            }
            catch (DockerApiException e) when (e.Status is not null)
            {
                HasNeverRun = !await HasRunAsync(cancellationToken);
                throw;
            }

            await FindProcessAsync(cancellationToken);
        });
    }

    /// <inheritdoc/>
    public Task<bool> TryAbortAsync(string reason) => Task.FromResult(true);

    /// <inheritdoc/>
    public async Task FinishAsync(JsonObject restartPolicy, CancellationToken cancellationToken)
    {
        await DockerRuntime.CallAsync("restart policy", async () =>
        {
            await RestartPolicy.ApplyAsync(client, Id, restartPolicy, cancellationToken);
            await RestartPolicy.MakeUpForAsync(client, Id, restartPolicy, hasEnded: false, cancellationToken);
        });
        if (manifest.Image is { } image)
        {
            images.Keep(image);
        }
    }

    /// <inheritdoc/>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        await DockerRuntime.CallAsync("abort", async () =>
        {
            await DockerRemoval.RemoveAsync(client, inspector, options, Id, withVolumes: true, cancellationToken);
            if (manifest.Image is { } image)
            {
                await images.DiscardAsync(image, cancellationToken);
            }
        });
        refusal.Allow(Id);
    }

    /// <inheritdoc/>
    public Task<TargetContainerState> GetStateAsync(CancellationToken cancellationToken) =>
        DockerRuntime.CallAsync("recovery", async () =>
        {
            switch (await inspector.FindStateAsync(Id, cancellationToken))
            {
                case null:
                    return TargetContainerState.Missing;
                case "running" or "paused" or "restarting":
                    await FindProcessAsync(cancellationToken);
                    return TargetContainerState.Running;
                default:
                    return await HasRunAsync(cancellationToken) ? TargetContainerState.Stopped : TargetContainerState.Created;
            }
        });

    private async Task<bool> HasRunAsync(CancellationToken cancellationToken) =>
        (await client.FindAsync($"/containers/{Id}/json", cancellationToken)).Object("State") is { } state && (state.Flag("Running") || state.Text("StartedAt") is not ("" or Never));

    private async Task FindProcessAsync(CancellationToken cancellationToken)
    {
        if ((int)(await client.FindAsync($"/containers/{Id}/json", cancellationToken)).Object("State").Number("Pid") is > 0 and var pid)
        {
            NetworkNamespacePath = $"/proc/{pid}/ns/net";
            CgroupDirectory = ContainerCgroup.Find(pid, Id, options.CgroupMount).Directory;
        }
    }
}
