using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Daemon.Migrations;
using ContainerMigrate.Host;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using ContainerMigrate.Storage;
using ContainerMigrate.Volumes;
using Microsoft.Extensions.Logging.Abstractions;
using NSubstitute;

namespace ContainerMigrate.Tests.Migration;

/// <summary>
/// One life of a host's daemon: all that the engine does to the host goes through <see cref="Step"/>, where a test can look, fail,
/// wait or end the life. A dead daemon does nothing any more; what it had begun never returns.
/// </summary>
internal sealed class DaemonLife :
    ICheckpointEngine, ICgroupFreezer, ICpuLimiter, INetworkFence, IAddressAnnouncer, IContainerNetwork, IDirectoryCopier, IPageFileCopier, ILogCopier, IHostInspector, IStartRefusal, IContainerRuntime, IMemoryTracker, IMemoryArrivals, IFileFollower
{
    private readonly Machine _machine;
    private readonly TaskCompletionSource _died = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<string> _log = [];

    public DaemonLife(Machine machine, ManualTime time, MigrationLimits limits)
    {
        _machine = machine;
        Time = time;
        Environment = new MigrationEnvironment
        {
            HostName = machine.Name, Limits = limits, Runtimes = [this], Checkpoints = this, Freezer = this, Cpu = this, Fence = this, Packets = machine.Packets, Announcer = this, Network = this,
            Copier = this, Files = this, Kept = Substitute.For<IKeptTrees>(), Directories = new MachineDirectories(this, machine), Tracker = this, Arrivals = this, FrozenMemory = new LeftMemory(machine), Sources = new LinkedSource(this), Pages = this, Logs = this, Host = this, Journals = new MemoryJournalStore(this, machine), Pauses = Pauses, Refusals = this, Time = time,
        };
        Index = new MigrationIndex(time);
        Arrivals = new PeerMigrations(Environment, Index, NullLoggerFactory.Instance);
    }

    public ManualTime Time { get; }

    public MigrationEnvironment Environment { get; }

    public MigrationIndex Index { get; }

    public PeerMigrations Arrivals { get; }

    public RememberedPauses Pauses { get; } = new();

    public Task Died => _died.Task;

    public bool IsDead => _died.Task.IsCompleted;

    /// <summary>The daemon at the other end of the link.</summary>
    public Func<DaemonLife?> Other { get; set; } = () => null;

    /// <summary>The other end gets no answer when it asks for memory.</summary>
    public bool LosesFetches { get; set; }

    public bool FillingIn { get; set; }

    public string? LostMemory { get; set; }

    /// <summary>Called before each step with its name; what it throws is the step's failure.</summary>
    public Func<string, CancellationToken, Task>? Before { get; set; }

    /// <summary>Called after each step's effect.</summary>
    public Action<string>? After { get; set; }

    public string Name => "docker";

    /// <summary>Steps in order.</summary>
    public IReadOnlyList<string> Log
    {
        get
        {
            lock (_log)
            {
                return [.. _log];
            }
        }
    }

    /// <summary>No step has its effect from here on, whichever thread takes it.</summary>
    public void Kill()
    {
        lock (_log)
        {
            _died.TrySetResult();
        }
    }

    public void End(bool now)
    {
        if (now)
        {
            Kill();
        }
    }

    /// <summary>A step that cannot wait.</summary>
    public void Step(string what, Action effect)
    {
        Before?.Invoke(what, CancellationToken.None).GetAwaiter().GetResult();
        if (IsDead)
        {
            throw new KilledException();
        }

        Carry(what, effect);
        if (IsDead)
        {
            throw new KilledException();
        }
    }

    public async Task StepAsync(string what, Action effect, CancellationToken cancellationToken)
    {
        await (IsDead ? Never() : Before?.Invoke(what, cancellationToken) ?? Task.CompletedTask);
        await (IsDead ? Never() : Task.CompletedTask);
        cancellationToken.ThrowIfCancellationRequested();
        Carry(what, effect);
        await (IsDead ? Never() : Task.CompletedTask);
    }

    public Task DumpAsync(SourceContainer container, string directory, CancellationToken cancellationToken) =>
        StepAsync("dump", () => File.WriteAllText(Path.Combine(CheckpointImages.DirectoryIn(directory), "pages-1.img"), "pages"), cancellationToken);

    public async Task<IMetadataDump> PrepareMetadataDumpAsync(SourceContainer container, string directory, CancellationToken cancellationToken)
    {
        await StepAsync("ready the dump", () => _machine.DumpHeld = true, cancellationToken);
        return new ReadyDump(this, _machine, CheckpointImages.DirectoryIn(directory));
    }

    public Task<MemoryTrackerAvailability> GetAvailabilityAsync(CancellationToken cancellationToken) => Task.FromResult(MemoryTrackerAvailability.Yes(_machine.Tracker));

    public async Task<IMemoryTracking> StartAsync(string cgroupDirectory, CancellationToken cancellationToken)
    {
        await StepAsync("track memory", () => { }, cancellationToken);
        return new TrackedMemory(this, _machine);
    }

    public IArrivingMemory Open(string migrationDirectory, long expectedBytes, long maxBytes) => new ArrivedMemory(this, _machine);

    bool IMemoryArrivals.IsFillingIn(string containerId) => FillingIn;

    string? IMemoryArrivals.FindLoss(string containerId) => LostMemory;

    Task IMemoryArrivals.WaitUntilFilledAsync(string containerId, CancellationToken cancellationToken) => StepAsync("wait for memory", () => { }, cancellationToken);

    async Task<ResumedMemory> IMemoryArrivals.ResumeAsync(string migrationDirectory, CancellationToken cancellationToken)
    {
        await StepAsync("resume memory", () => { }, cancellationToken);
        return new ResumedMemory(MissingPages.Of(this, _machine), null);
    }

    Task IMemoryArrivals.RemoveAsync(string migrationDirectory) => StepAsync("remove memory", () => (_machine.ArrivedPages, _machine.MissingTotal) = (null, 0), CancellationToken.None);

    public Task LetGoAsync(string directory) => StepAsync("let dump go", () => _machine.DumpHeld = false, CancellationToken.None);

    public Task UndoAsync(string cgroupDirectory, string directory) => StepAsync("make whole", () => _machine.DumpHeld = false, CancellationToken.None);

    public Task FreezeAsync(string cgroupDirectory, TimeSpan timeout, CancellationToken cancellationToken) => StepAsync("freeze", () =>
        {
            if (cgroupDirectory == ArrivingContainer.Cgroup)
            {
                _machine.StandsStill = true;
            }
            else
            {
                _machine.Frozen = true;
            }
        }, cancellationToken);

    public Task ThawAsync(string cgroupDirectory, CancellationToken cancellationToken) => StepAsync("thaw", () => (_machine.Frozen, _machine.StandsStill) = (false, false), cancellationToken);

    public void Request(string cgroupDirectory) => Step("stand still", () => _machine.StandsStill = true);

    public bool IsFrozen(string cgroupDirectory) => _machine.Frozen || _machine.StandsStill;

    public void RemoveEmpty(string cgroupDirectory)
    {
    }

    public string? FindObstacle(string cgroupDirectory) => null;

    public CpuLimit Read(string cgroupDirectory) => _machine.Cpu;

    public void Apply(string cgroupDirectory, CpuLimit limit) => Step($"limit cpu {limit}", () => _machine.Cpu = limit);

    // Two processors, all the time.
    public TimeSpan ReadUsage(string cgroupDirectory) => 2 * Time.GetElapsedTime(0);

    public Task RaiseAsync(string networkNamespacePath, CancellationToken cancellationToken) => StepAsync("fence", () => _machine.Fenced = true, cancellationToken);

    public Task LiftAsync(string networkNamespacePath, CancellationToken cancellationToken) => StepAsync("lift fence", () => _machine.Fenced = false, cancellationToken);

    public Task<bool> IsRaisedAsync(string networkNamespacePath, CancellationToken cancellationToken) => Task.FromResult(_machine.Fenced);

    public async Task<IReadOnlyList<string>> AnnounceAsync(string networkNamespacePath, CancellationToken cancellationToken)
    {
        await StepAsync("announce", () => { }, cancellationToken);
        return [];
    }

    public Task<IReadOnlyList<NetworkLink>> DescribeAsync(string networkNamespacePath, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<NetworkLink>>([]);

    public Task BuildAsync(string networkNamespacePath, IReadOnlyList<NetworkLink> links, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<string?> ProbeAsync(string hostLink, IPAddress address, TimeSpan timeout, CancellationToken cancellationToken) => Task.FromResult<string?>(null);

    public Task<CopyTotals> MeasureAsync(string directory, CancellationToken cancellationToken) => Task.FromResult(new CopyTotals(1, 1));

    public async Task<CopyTotals> SendAsync(string directory, Stream destination, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        await StepAsync(IsProbe(directory) ? "probe files" : "read files", () => { }, cancellationToken);
        await destination.WriteAsync(Encoding.UTF8.GetBytes(directory), cancellationToken);
        return new CopyTotals(1, directory.Length);
    }

    public async Task<CopyTotals> ReceiveAsync(string directory, Stream source, long maxBytes, CancellationToken cancellationToken)
    {
        using var content = new MemoryStream();
        await source.CopyToAsync(content, cancellationToken);
        await StepAsync(IsProbe(directory) ? "take probe files" : directory == ArrivingContainer.LayerDirectory ? "unpack layer" : "unpack images", () => { }, cancellationToken);
        return new CopyTotals(1, content.Length);
    }

    public async Task<CopyTotals> ReceiveChangesAsync(string directory, Stream source, long maxBytes, CancellationToken cancellationToken)
    {
        var content = await FollowedFiles.ReadAsync(source, cancellationToken);
        await StepAsync(FollowedFiles.IsLast(content) ? "unpack layer" : "unpack files", () => { }, cancellationToken);
        return new CopyTotals(1, content.Length);
    }

    public IFollowedTree Follow(SourceContainer container, MountDescription? mount) => new FollowedFiles(this);

    public async Task SendAsync(string directory, Task written, Stream destination, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        await written;
        await StepAsync(IsProbe(directory) ? "probe pages" : "read pages", () => { }, cancellationToken);
        await destination.WriteAsync("pages"u8.ToArray(), cancellationToken);
    }

    async Task<long> IPageFileCopier.ReceiveAsync(string directory, Stream source, long maxBytes, CancellationToken cancellationToken)
    {
        using var content = new MemoryStream();
        await source.CopyToAsync(content, cancellationToken);
        await StepAsync(IsProbe(directory) ? "take probe pages" : "write pages", () => File.WriteAllBytes(Path.Combine(directory, "pages-1.img"), content.ToArray()), cancellationToken);
        return content.Length;
    }

    public void SetAside(string directory, string aside) => Directory.Move(Directory.CreateDirectory(directory).FullName, aside);

    public Task SyncAsync(string directory, CancellationToken cancellationToken) => StepAsync("sync", () => { }, cancellationToken);

    public async Task<LogPosition> SendAsync(string file, LogPosition from, Stream destination, CancellationToken cancellationToken)
    {
        await StepAsync("read log", () => { }, cancellationToken);
        await destination.WriteAsync("log"u8.ToArray(), cancellationToken);
        return new LogPosition(1, @from.Offset + 3);
    }

    async Task<long> ILogCopier.ReceiveAsync(string file, Stream source, long maxBytes, CancellationToken cancellationToken)
    {
        await source.CopyToAsync(Stream.Null, cancellationToken);
        await StepAsync("append log", () => { }, cancellationToken);
        return 3;
    }

    public Task<HostFacts> ReadFactsAsync(CancellationToken cancellationToken) => Task.FromResult(Samples.Facts(_machine.Name));

    public MemoryDemand ReadMemoryDemand(SourceContainer container) => MemoryDemand.None;

    public Task<DoctorReport> DiagnoseAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<IReadOnlyList<CheckFinding>> CheckProcessesAsync(SourceContainer container, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<CheckFinding>>([]);

    public void Refuse(string containerId, string reason) => Step("refuse starts", () => _machine.Refused = true);

    public void Allow(string containerId) => Step("allow starts", () => _machine.Refused = false);

    public Task<IReadOnlyList<RunningContainer>> ListAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<RunningContainer>>(_machine.Exists ? [new RunningContainer(new ContainerReference("docker", "c0ffee", "web"), new Dictionary<string, string>(), false)] : []);

    public Task<RuntimeStatus> GetStatusAsync(CancellationToken cancellationToken) => Task.FromResult(new RuntimeStatus(Available(), "28", "overlay2", ""));

    public Func<bool> Available { get; set; } = () => true;

    public Task<IReadOnlyList<ContainerReference>> FindAsync(string nameOrId, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<ContainerReference>>(_machine.Exists && nameOrId == "web" ? [Samples.Reference] : []);

    public Task<SourceContainer> InspectAsync(ContainerReference reference, CancellationToken cancellationToken) => Task.FromResult(Samples.Container());

    public Task<ContainerLife> FindLifeAsync(ContainerReference reference, CancellationToken cancellationToken) => Task.FromResult(_machine.Life ?? (_machine.Stopped ? new ContainerLife(0, _machine.Exists, "exit code 143") : new ContainerLife(Samples.Container().InitPid + _machine.Starts, _machine.Exists, "")));

    public Task<IReadOnlyList<CheckFinding>> CheckSourceAsync(SourceContainer container, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<CheckFinding>>([]);

    public Task<IReadOnlyList<CheckFinding>> CheckTargetAsync(ContainerManifest manifest, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<CheckFinding>>([]);

    public async Task<JsonObject> ReadRestartPolicyAsync(ContainerReference reference, CancellationToken cancellationToken)
    {
        JsonObject? policy = null;
        await StepAsync("read policy", () => policy = (JsonObject)JsonNode.Parse(_machine.Policy ?? "{}")!, cancellationToken);
        return policy!;
    }

    public Task SuspendRestartPolicyAsync(ContainerReference reference, CancellationToken cancellationToken) => StepAsync("suspend policy", () => _machine.Policy = null, cancellationToken);

    public Task ReturnRestartPolicyAsync(ContainerReference reference, JsonObject policy, CancellationToken cancellationToken) =>
        StepAsync("return policy", () => _machine.Policy = policy.ToJsonString(), cancellationToken);

    public bool CanStop => true;

    public Task StopAsync(ContainerReference reference, CancellationToken cancellationToken) => StepAsync("stop", () => _machine.Stopped = true, cancellationToken);

    public Task StartAsync(ContainerReference reference, CancellationToken cancellationToken) => StepAsync("start again", () => (_machine.Starts, _machine.Stopped) = (_machine.Starts + (_machine.Stopped ? 1 : 0), false), cancellationToken);

    public Task DestroyAsync(ContainerReference reference, CancellationToken cancellationToken) =>
        StepAsync("destroy", () => (_machine.Exists, _machine.Frozen, _machine.Fenced, _machine.Stopped) = (false, false, false, false), cancellationToken);

    public Task<IReadOnlyDictionary<string, string>> FindHostLinksAsync(ContainerManifest manifest, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyDictionary<string, string>>(new Dictionary<string, string>());

    public Task<IReadOnlyDictionary<string, string>> FindMountUsersAsync(SourceContainer container, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyDictionary<string, string>>(new Dictionary<string, string>());

    public Task<IReadOnlyList<MountFacts>> LookAtMountsAsync(ContainerManifest manifest, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<MountFacts>>([.. manifest.Mounts.Select(m => new MountFacts { Target = m.Target, IsAllowed = true, FreeBytes = long.MaxValue, FreeEntries = long.MaxValue })]);

    public async Task<bool> RemoveVolumeAsync(string name, CancellationToken cancellationToken)
    {
        await StepAsync("remove volume", () => _machine.Volumes.Remove(name), cancellationToken);
        return true;
    }

    public Task<IReadOnlyList<string>> FindMissingLayersAsync(ImageIdentity image, CancellationToken cancellationToken) => Task.FromResult(image.LayerDigests);

    public async Task ExportImageAsync(ImageIdentity image, IReadOnlyList<string> layers, Stream destination, CancellationToken cancellationToken)
    {
        await StepAsync("export image", () => { }, cancellationToken);
        await destination.WriteAsync("image"u8.ToArray(), cancellationToken);
    }

    public async Task ImportImageAsync(ImageIdentity image, Stream source, CancellationToken cancellationToken)
    {
        await source.CopyToAsync(Stream.Null, cancellationToken);
        await StepAsync("import image", () => { }, cancellationToken);
    }

    public async Task<ITargetContainer> CreateAsync(ContainerManifest manifest, string migrationId, CancellationToken cancellationToken)
    {
        foreach (var volume in manifest.Mounts.Where(m => m is { Kind: "volume", IsMade: true }))
        {
            await StepAsync("make volume", () => _machine.Volumes.Add(volume.Source, migrationId), cancellationToken);
        }

        await StepAsync("create", () => _machine.Arrival = new Arrival(migrationId) { Offline = manifest.Offline }, cancellationToken);
        return new ArrivingContainer(this, _machine, _machine.Arrival!);
    }

    public Task RemoveTracesAsync(ContainerManifest manifest, string migrationId, CancellationToken cancellationToken) =>
        StepAsync(
            "remove traces",
            () =>
            {
                _machine.Arrival = _machine.Arrival?.MigrationId == migrationId ? null : _machine.Arrival;
                foreach (var (name, _) in _machine.Volumes.Where(v => v.Value == migrationId))
                {
                    _machine.Volumes.Remove(name);
                }
            },
            cancellationToken);

    public async Task<ITargetContainer?> OpenAsync(ContainerManifest manifest, string containerId, CancellationToken cancellationToken)
    {
        await StepAsync("open", () => { }, cancellationToken);
        return _machine.Arrival is { } arrival ? new ArrivingContainer(this, _machine, arrival) : null;
    }

    private sealed class ReadyDump(DaemonLife life, Machine machine, string images) : IMetadataDump
    {
        public Task RunAsync(CancellationToken cancellationToken) => life.StepAsync("dump metadata", () => machine.Memory.WritePagemap(images), cancellationToken);

        public async ValueTask DisposeAsync() => await life.StepAsync("let dump end", () => machine.DumpHeld = false, CancellationToken.None);
    }

    private static bool IsProbe(string directory) => directory.Contains("/probe", StringComparison.Ordinal);

    private static Task Never() => new TaskCompletionSource().Task;

    private void Carry(string what, Action effect)
    {
        lock (_log)
        {
            if (IsDead)
            {
                throw new KilledException();
            }

            effect();
            _log.Add(what);
        }

        After?.Invoke(what);
    }
}
