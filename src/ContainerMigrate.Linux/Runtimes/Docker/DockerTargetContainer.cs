using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Runtimes.Oci;
using ContainerMigrate.Migration;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>
/// A container that dockerd knows and has not started. Its start is held inside the runtime wrapper until the images are there, and
/// once more until the commit; meanwhile dockerd answers no question about this container but the list's.
/// </summary>
internal sealed partial class DockerTargetContainer : ITargetContainer, IAsyncDisposable
{
    private const string InitPidFile = "init-pid";
    private static readonly TimeSpan StartEndsWithin = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    private readonly DockerClient _client;
    private readonly DockerInspector _inspector;
    private readonly DockerImages _images;
    private readonly DockerOptions _options;
    private readonly ContainerManifest _manifest;
    private readonly RestoreGate _gate;
    private readonly string _restoreDirectory;
    private readonly ILogger _logger;
    private Task<string?>? _start;
    private int _initPid;

    /// <param name="gate">Disposed with this.</param>
    public DockerTargetContainer(
        DockerClient client,
        DockerInspector inspector,
        DockerImages images,
        DockerOptions options,
        ContainerManifest manifest,
        string id,
        string writableLayerDirectory,
        string? logFile,
        IReadOnlyDictionary<string, string> mountDirectories,
        RestoreGate gate,
        string restoreDirectory,
        ILogger logger)
    {
        _client = client;
        _inspector = inspector;
        _images = images;
        _options = options;
        _manifest = manifest;
        _gate = gate;
        _restoreDirectory = restoreDirectory;
        _logger = logger;
        Id = id;
        WritableLayerDirectory = writableLayerDirectory;
        LogFile = logFile;
        MountDirectories = mountDirectories;
    }

    /// <inheritdoc/>
    public string Id { get; }

    /// <inheritdoc/>
    public string WritableLayerDirectory { get; }

    /// <inheritdoc/>
    public string? LogFile { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> MountDirectories { get; }

    /// <inheritdoc/>
    public string? NetworkNamespacePath => _initPid > 0 && Directory.Exists($"/proc/{_initPid}/ns") ? $"/proc/{_initPid}/ns/net" : null;

    /// <inheritdoc/>
    public string? CgroupDirectory => NetworkNamespacePath is null ? null : ContainerCgroup.Find(_initPid, Id, _options.CgroupMount).Directory;

    private string ApiPath => $"/containers/{Id}";

    /// <inheritdoc/>
    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        _gate.Prepare();
        if (_manifest.Paused)
        {
            RestoredPause.Request(_restoreDirectory);
        }

        _start = StartAsync();
        await _gate.WaitForCreateAsync(_manifest.StandardStreams, _start, cancellationToken, LibnetworkHook.TakeFrom);
    }

    /// <inheritdoc/>
    public async Task<int> RestoreAsync(string imagesDirectory, string workDirectory, bool lazy, Func<string, Task> fenced, CancellationToken cancellationToken)
    {
        await _gate.RestoreAsync(
            imagesDirectory, workDirectory, lazy, _start ?? throw new InvalidOperationException("BeginAsync comes first"), cancellationToken, pid => fenced($"/proc/{pid}/ns/net"));
        return _initPid = _gate.InitPid;
    }

    /// <inheritdoc/>
    public Task<bool> ClaimCommitAsync(CancellationToken cancellationToken) => Task.FromResult(_gate.ClaimCommit());

    /// <inheritdoc/>
    public Task FenceOpened => _gate.FenceOpened;

    /// <inheritdoc/>
    public Task Resumed => _gate.Resumed;

    /// <inheritdoc/>
    public async Task ReleaseAsync(CancellationToken cancellationToken)
    {
        await _gate.ReleaseAsync(() => AwaitStartAsync(cancellationToken));
        if (_manifest.Paused)
        {
            await PauseAsync(cancellationToken);
        }
    }

    /// <inheritdoc/>
    public bool HasNeverRun => _gate.HasNeverRun;

    /// <inheritdoc/>
    public Task<bool> TryAbortAsync(string reason) => Task.FromResult(_gate.TryAbort(reason));

    /// <inheritdoc/>
    public async Task FinishAsync(JsonObject restartPolicy, CancellationToken cancellationToken)
    {
        await DockerRuntime.CallAsync("restart policy", async () =>
        {
            await RestartPolicy.ApplyAsync(_client, Id, restartPolicy, cancellationToken);
            await RestartPolicy.MakeUpForAsync(_client, Id, restartPolicy, hasEnded: _gate.Settle(), cancellationToken);
        });
        if (_manifest.Image is { } image)
        {
            _images.Keep(image);
        }

        _gate.Finish();
        await DisposeAsync();
    }

    /// <inheritdoc/>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        if (!HasNeverRun && !_gate.TryAbort("the migration was given up") && await GetStateAsync(cancellationToken) != TargetContainerState.Missing)
        {
            throw new MigrationException("abort", $"container {_manifest.Name} is committed to this host and must not be removed");
        }

        await AbandonedTree.EndAsync(_restoreDirectory, cancellationToken);
        if (_start is not null)
        {
            // dockerd holds the container's lock until its start has ended.
            await Task.WhenAny(_start, Task.Delay(StartEndsWithin, cancellationToken)); // what it ends with does not matter
        }

        await DockerRuntime.CallAsync("abort", async () =>
        {
            await DockerRemoval.RemoveAsync(_client, _inspector, _options, Id, withVolumes: true, cancellationToken);
            if (_manifest.Image is { } image)
            {
                await _images.DiscardAsync(image, cancellationToken);
            }
        });
        await DisposeAsync();
        _gate.Delete();
    }

    /// <inheritdoc/>
    public async Task<TargetContainerState> GetStateAsync(CancellationToken cancellationToken) =>
        await DockerRuntime.CallAsync("recovery", () => _inspector.FindStateAsync(Id, cancellationToken)) switch
        {
            null => TargetContainerState.Missing,
            // Not yet known to dockerd as paused: the release is not over.
            "running" when RestoredPause.IsPending(_restoreDirectory) => TargetContainerState.Held,
            "running" or "paused" or "restarting" => TargetContainerState.Running,
            // dockerd never heard of its run, or of its end: its shim died in between.
            "created" when _gate.IsAbandoned || (_gate is { Decision: "commit", State: "done" } && _start is null or { IsCompleted: true }) => TargetContainerState.Stopped,
            "created" when _gate.State == "active" => TargetContainerState.Held,
            "created" => TargetContainerState.Created,
            _ => TargetContainerState.Stopped,
        };

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _gate.DisposeAsync();

    /// <summary>Takes over a restore that an earlier daemon began.</summary>
    public void Attach()
    {
        if (_gate.State is null)
        {
            return;
        }

        _gate.Attach();
        try
        {
            // CRIU's hook noted "PID START-TIME"; the cgroup tells whether the number still means the container.
            if (int.TryParse(File.ReadAllText(Path.Combine(_restoreDirectory, InitPidFile)).Split(' ')[0], out var pid))
            {
                ContainerCgroup.Find(pid, Id, _options.CgroupMount);
                _initPid = pid;
            }
        }
        catch (Exception e) when (e is IOException or MigrationException)
        {
            // Nothing was restored, or it has ended.
        }
    }

    private async Task AwaitStartAsync(CancellationToken cancellationToken)
    {
        var problem = _start is null ? null : await _start.WaitAsync(cancellationToken);
        if (problem is not null)
        {
            throw new MigrationException("commit", $"docker start failed after the commit: {problem}");
        }

        await WaitUntilRunningAsync(cancellationToken);
    }

    // Completes with null, or with why dockerd did not start it. Not cancelled: what is held ends by the gate and nothing else.
    private async Task<string?> StartAsync()
    {
        try
        {
            await _client.PostAsync($"{ApiPath}/start", body: null, CancellationToken.None, _options.StartTimeout);
            return null;
        }
        catch (DockerApiException e)
        {
            LogStartFailed(_manifest.Name, e.Message);
            return OwnReason(e.Message);
        }
    }

    // What the wrapper said arrives behind dockerd's, containerd's and the shim's own words, and before ": unknown" of gRPC.
    private static string OwnReason(string message)
    {
        const string Wrapper = "ctmigrate: ", Status = ": unknown";
        var own = message.LastIndexOf(Wrapper, StringComparison.Ordinal);
        var reason = own < 0 ? message : message[(own + Wrapper.Length)..];
        return reason.EndsWith(Status, StringComparison.Ordinal) ? reason[..^Status.Length] : reason;
    }

    private async Task WaitUntilRunningAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var state = await DockerRuntime.CallAsync("commit", () => _inspector.FindStateAsync(Id, cancellationToken));
            if (state is "running" or "paused")
            {
                return;
            }

            // Without a call of our own (the daemon was restarted in between) its end is seen only here.
            if (state is null or "exited" or "dead" || (_start is not null && state != "created"))
            {
                throw new MigrationException("commit", $"container {_manifest.Name} is {state ?? "gone"} after the commit");
            }

            await Task.Delay(PollInterval, cancellationToken);
        }
    }

    private async Task PauseAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _client.PostAsync($"{ApiPath}/pause", body: null, cancellationToken);
        }
        catch (DockerApiException e) when (e.IsConflict)
        {
            // Paused already: this is a repetition.
        }
        catch (DockerApiException e)
        {
            throw new MigrationException("commit", $"the container arrived frozen, but dockerd could not note it as paused: {e.Message}", $"docker pause {_manifest.Name}", e);
        }
    }

    [LoggerMessage(LogLevel.Warning, "docker start of {Container} failed: {Reason}")]
    private partial void LogStartFailed(string container, string reason);
}
