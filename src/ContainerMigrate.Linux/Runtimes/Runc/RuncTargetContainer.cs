using System.Text;
using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Cgroups;
using ContainerMigrate.Linux.Files;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Linux.Runtimes.Oci;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Linux.Runtimes.Runc;

/// <summary>A bundle that is being restored through the same wrapper that Docker's containers go through, with us in the runtime's place.</summary>
internal sealed class RuncTargetContainer : ITargetContainer, IAsyncDisposable
{
    private const string OwnerFile = ".ctmigrate";
    private static readonly TimeSpan EndsWithin = TimeSpan.FromSeconds(30);

    private readonly IProcessRunner _processes;
    private readonly string _root;
    private readonly string _bundle;
    private readonly ContainerManifest _manifest;
    private readonly IContainerNetwork _network;
    private readonly INetworkFence _fence;
    private readonly RestoreGate _gate;
    private Task<string?>? _create;
    private Task<string?>? _start;

    public RuncTargetContainer(
        IProcessRunner processes, string root, string bundle, ContainerManifest manifest, string? networkName,
        IContainerNetwork network, INetworkFence fence, RestoreLayout layout, ILoggerFactory loggers)
    {
        _processes = processes;
        _root = root;
        _bundle = bundle;
        _manifest = manifest;
        NetworkName = networkName;
        _network = network;
        _fence = fence;
        _gate = new RestoreGate(layout.RestoreDirectory(manifest.Name), RestoreTimeouts.Default, loggers.CreateLogger<RestoreGate>());
    }

    /// <inheritdoc/>
    public string Id => _manifest.Name;

    /// <summary>Name of the network namespace to make; null when runc makes one.</summary>
    public string? NetworkName { get; }

    /// <inheritdoc/>
    public string WritableLayerDirectory => Path.Combine(_bundle, "rootfs");

    /// <inheritdoc/>
    public string? LogFile => null;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> MountDirectories => _manifest.Mounts.Where(m => m.HasFiles).ToDictionary(m => m.Target, m => m.Source);

    /// <inheritdoc/>
    public string? NetworkNamespacePath => _gate.InitPid > 0 ? $"/proc/{_gate.InitPid}/ns/net" : null;

    /// <inheritdoc/>
    public string? CgroupDirectory => _gate.InitPid > 0 && Directory.Exists($"/proc/{_gate.InitPid}") ? ProcessCgroup.DirectoryOf(_gate.InitPid) : null;

    public async Task WriteConfigAsync(JsonObject config, string migrationId, CancellationToken cancellationToken)
    {
        await File.WriteAllTextAsync(Path.Combine(_bundle, OwnerFile), migrationId, cancellationToken);
        DurableFile.Replace(Path.Combine(_bundle, "config.json"), Encoding.UTF8.GetBytes(config.ToJsonString()));
    }

    /// <summary>True when the bundle was made for this migration.</summary>
    public async Task<bool> BelongsToAsync(string migrationId, CancellationToken cancellationToken)
    {
        var owner = Path.Combine(_bundle, OwnerFile);
        return File.Exists(owner) && await File.ReadAllTextAsync(owner, cancellationToken) == migrationId;
    }

    /// <inheritdoc/>
    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        if (NetworkName is not null)
        {
            await NetworkNamespaces.AddAsync(_processes, NetworkName, cancellationToken);
            await _fence.RaiseAsync(NetworkNamespaces.PathOf(NetworkName), cancellationToken);
        }

        _gate.Prepare(_root);
        _create = RunAsync("create", "--bundle", _bundle, "--pid-file", Path.Combine(_bundle, "pid"), Id);
        await _gate.WaitForCreateAsync(_manifest.StandardStreams, FailureOf(_create), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<int> RestoreAsync(string imagesDirectory, string workDirectory, bool lazy, Func<string, Task> fenced, CancellationToken cancellationToken)
    {
        var create = _create ?? throw new InvalidOperationException("BeginAsync comes first");
        await _gate.RestoreAsync(imagesDirectory, workDirectory, lazy, FailureOf(create), cancellationToken, async pid =>
        {
            if (await create.WaitAsync(cancellationToken) is { } problem)
            {
                throw new MigrationException("restore", problem);
            }

            var network = $"/proc/{pid}/ns/net";
            await Task.WhenAll(fenced(network), _network.BuildAsync(network, _manifest.Links, cancellationToken));
            _start = RunAsync("start", Id);
        });
        return _gate.InitPid;
    }

    /// <inheritdoc/>
    public Task<bool> ClaimCommitAsync(CancellationToken cancellationToken) => Task.FromResult(_gate.ClaimCommit());

    /// <inheritdoc/>
    public Task FenceOpened => _gate.FenceOpened;

    /// <inheritdoc/>
    public Task Resumed => _gate.Resumed;

    /// <inheritdoc/>
    public Task ReleaseAsync(CancellationToken cancellationToken) => _gate.ReleaseAsync(() => AwaitStartAsync(cancellationToken));

    /// <inheritdoc/>
    public Task FinishAsync(JsonObject restartPolicy, CancellationToken cancellationToken)
    {
        // The bundle is what the container's next move begins with.
        _gate.ReturnConfig(_bundle);
        File.Delete(Path.Combine(_bundle, OwnerFile));
        _gate.Finish();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public bool HasNeverRun => _gate.HasNeverRun;

    /// <inheritdoc/>
    public Task<bool> TryAbortAsync(string reason) => Task.FromResult(_gate.TryAbort(reason));

    /// <inheritdoc/>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        if (!HasNeverRun && !_gate.TryAbort("the migration was given up") && await GetStateAsync(cancellationToken) != TargetContainerState.Missing)
        {
            throw new MigrationException("abort", $"container {Id} is committed to this host and must not be removed");
        }

        await AbandonedTree.EndAsync(Path.GetDirectoryName(_gate.CriuConfigPath)!, cancellationToken);
        foreach (var command in new[] { _create, _start }.OfType<Task<string?>>())
        {
            await Task.WhenAny(command, Task.Delay(EndsWithin, cancellationToken));
        }

        await _processes.RunAsync(new ProcessCommand("runc", "--root", _root, "delete", "--force", Id) { Timeout = EndsWithin }, cancellationToken);
        if (NetworkName is not null)
        {
            await NetworkNamespaces.DeleteAsync(_processes, NetworkName, cancellationToken);
        }

        if (Directory.Exists(_bundle))
        {
            DirectoryCleaner.Empty(_bundle, cancellationToken);
            Directory.Delete(_bundle);
        }

        await DisposeAsync();
        _gate.Delete();
    }

    /// <inheritdoc/>
    public async Task<TargetContainerState> GetStateAsync(CancellationToken cancellationToken)
    {
        if (_gate.State == "active")
        {
            return _gate.InitPid > 0 ? TargetContainerState.Held : TargetContainerState.Created;
        }

        return await RuncState.ReadAsync(_processes, _root, Id, cancellationToken) switch
        {
            { Status: "running" or "paused" } => TargetContainerState.Running,
            { } => TargetContainerState.Stopped,
            null => Directory.Exists(_bundle) ? TargetContainerState.Created : TargetContainerState.Missing,
        };
    }

    /// <summary>Takes over a restore that an earlier daemon began.</summary>
    public async Task AttachAsync(CancellationToken cancellationToken)
    {
        if (_gate.State is not null)
        {
            _gate.Attach(await RuncState.ReadAsync(_processes, _root, Id, cancellationToken) is { Pid: > 0 } state ? state.Pid : 0);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _gate.DisposeAsync();

    private async Task AwaitStartAsync(CancellationToken cancellationToken)
    {
        if (_start is not null && await _start.WaitAsync(cancellationToken) is { } problem)
        {
            throw new MigrationException("commit", $"runc start failed after the commit: {problem}");
        }

        if (await GetStateAsync(cancellationToken) != TargetContainerState.Running)
        {
            throw new MigrationException("commit", $"container {Id} does not run after the commit");
        }
    }

    // Null for success. Not cancelled: what is held ends by the gate and nothing else.
    private async Task<string?> RunAsync(params string[] arguments)
    {
        // The restore goes on behind `create`, and has its outputs; what that has said itself is there when it ends.
        var command = new ProcessCommand(RestoreLayout.WrapperPath, ["--root", _root, .. arguments]) { DrainTime = TimeSpan.FromMilliseconds(10) };
        var result = await _processes.RunAsync(command, CancellationToken.None);
        return result.Succeeded ? null : result.FailureReason;
    }

    // As a signal for waits: a command that has ended well is no reason to stop waiting.
    private static async Task<string?> FailureOf(Task<string?> command) =>
        await command ?? await new TaskCompletionSource<string?>().Task;
}
