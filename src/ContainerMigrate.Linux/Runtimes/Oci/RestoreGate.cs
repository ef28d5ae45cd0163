using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using ContainerMigrate.Linux.Files;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Linux.Network;
using ContainerMigrate.Migration;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Linux.Runtimes.Oci;

/// <summary>
/// The daemon's side of a restore that goes through the OCI runtime wrapper: arms it, hands over the images, and holds the
/// decision at the gate. The state is in files, so that the wrapper can finish or give up without a living daemon, and a new
/// daemon can take over. One instance a container; not thread-safe except for <see cref="TryAbort"/>.
/// </summary>
public sealed partial class RestoreGate : IAsyncDisposable
{
    private const int MaxEventBytes = 512;

    // Paths are shorter (PATH_MAX); of a peer's reason the beginning has to do. A pipe that nobody reads must never be full.
    private const int MaxLineBytes = 4096;
    private const string RestoreLogName = "restore.log";
    private const string OriginalConfigName = "config.orig.json";
    private const string Commit = "commit";
    private const string Abort = "abort";
    private static readonly TimeSpan RuntimeEndsWithin = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ContinueInterval = TimeSpan.FromSeconds(1);
    private static readonly string[] States = ["armed", "active", "done", "dead"];

    private readonly string _directory;
    private readonly RestoreTimeouts _timeouts;
    private readonly ILogger _logger;
    private readonly Channel<RestoreEvent> _events = Channel.CreateUnbounded<RestoreEvent>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource _fenceOpened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _resumed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<string, FileStream> _commandPipes = new();
    private FileStream? _eventPipe;
    private Thread? _reader;
    private string? _bundle;
    private string? _cgroupPath;
    private IReadOnlyDictionary<string, string> _sysctls = new Dictionary<string, string>();
    private bool _begun;
    private Func<int, Task>? _attachNetwork;
    private volatile bool _disposed;

    /// <param name="directory"><see cref="RestoreLayout.RestoreDirectory"/> of the container.</param>
    public RestoreGate(string directory, RestoreTimeouts timeouts, ILogger logger)
    {
        _directory = directory;
        _timeouts = timeouts;
        _logger = logger;
    }

    /// <summary>Path of the CRIU configuration that is named in the container's annotations for as long as it lives.</summary>
    public string CriuConfigPath => Path.Combine(_directory, "criu.conf");

    /// <summary>Pid of the restored init, once <see cref="RestoreAsync"/> has returned.</summary>
    public int InitPid { get; private set; }

    /// <summary>Completes when the hook has opened the fence of the committed container.</summary>
    public Task FenceOpened => _fenceOpened.Task;

    /// <summary>Completes when CRIU has let go of the container's tasks.</summary>
    public Task Resumed => _resumed.Task;

    /// <summary><c>armed</c>, <c>active</c>, <c>done</c>, <c>dead</c>, or null when nothing was prepared.</summary>
    public string? State => States.FirstOrDefault(s => File.Exists(Path.Combine(_directory, s)));

    /// <summary>What was decided: <c>commit</c>, <c>abort</c> or null.</summary>
    public string? Decision => new FileInfo(DecisionPath).LinkTarget;

    /// <summary>
    /// Committed, and yet certainly nothing of it has run or will: CRIU is gone, and its hook had not let it go on. Not known of an earlier boot, whose last writes
    /// may be lost.
    /// </summary>
    public bool HasNeverRun
    {
        get
        {
            var mark = Path.Combine(_directory, "unrun");
            // In this order: only a CRIU that lives can let the tree run, and the mark is wiped before it does.
            return Decision == Commit && State == "dead" && !IsAlive("criu-pid") && !IsAlive("init-pid") && File.Exists(mark) && File.ReadAllText(mark) == File.ReadAllText("/proc/sys/kernel/random/boot_id");
        }
    }

    /// <summary>Committed, and everybody who could bring the restore to its end is gone: the host was restarted.</summary>
    public bool IsAbandoned => Decision == Commit && (State == "dead" || (State == "active" && !IsAlive("supervisor-pid") && !IsAlive("init-pid")));

    private string DecisionPath => Path.Combine(_directory, "decision");

    /// <summary>Makes the directory and its pipes and arms the wrapper; durable when it returns.</summary>
    /// <param name="runcRoot">runc's state root that the id belongs to, where ids are not unique; null where they are (Docker).</param>
    public void Prepare(string? runcRoot = null)
    {
        if (Directory.Exists(_directory))
        {
            Directory.Delete(_directory, recursive: true);
        }

        Directory.CreateDirectory(_directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var pipe in (ReadOnlySpan<string>)["events", "create", "images", "network", "gate"])
        {
            DurableFile.CreateFifo(Path.Combine(_directory, pipe));
        }

        File.WriteAllText(
            Path.Combine(_directory, "timeouts"),
            $"create={Seconds(_timeouts.Create)}\nstart={Seconds(_timeouts.Start)}\ngate={Seconds(_timeouts.Gate)}\n");
        if (runcRoot is not null)
        {
            File.WriteAllText(Path.Combine(_directory, "root"), runcRoot + "\n");
        }

        Listen();
        DurableFile.Replace(Path.Combine(_directory, "armed"), []);
        DurableFile.SyncDirectory(Path.GetDirectoryName(_directory)!);
    }

    /// <summary>Opens an existing restore after a restart of the daemon.</summary>
    /// <param name="initPid">Of the restored tree; 0 when it is not known.</param>
    public void Attach(int initPid = 0)
    {
        InitPid = initPid;
        Listen();
    }

    /// <summary>
    /// Returns once the runtime has called <c>create</c>, and edits the bundle's configuration for the restore. Where it is known what runc asks for before it
    /// calls CRIU, it begins, and CRIU waits for the images.
    /// </summary>
    /// <param name="standardStreams">Of the source's container: <see cref="Containers.ContainerManifest.StandardStreams"/>.</param>
    /// <param name="startFailed">Completes with a reason when the runtime's start has failed before that.</param>
    /// <param name="takeNetworkHook">
    /// Takes out of the configuration the hook that attaches the network, and returns what does the same, given the pid of init; null when there is none.
    /// </param>
    /// <exception cref="MigrationException">The wrapper refused or the runtime never called it.</exception>
    public async Task WaitForCreateAsync(
        IReadOnlyList<string> standardStreams, Task<string?> startFailed, CancellationToken cancellationToken, Func<JsonObject, Func<int, Task>?>? takeNetworkHook = null)
    {
        var created = await NextAsync("create", startFailed, cancellationToken);
        // "<wrapper-pid> <has-console> <bundle>"
        var parts = created.Arguments.Split(' ', 3);
        if (parts.Length != 3 || !Path.IsPathRooted(parts[2]))
        {
            throw new MigrationException("restore", $"the runtime wrapper sent '{created.Arguments}' instead of a bundle");
        }

        _bundle = parts[2];
        var path = Path.Combine(_bundle, "config.json");
        try
        {
            var config = JsonNode.Parse(await File.ReadAllBytesAsync(path, cancellationToken)) as JsonObject
                         ?? throw new InvalidDataException("not a JSON object");
            await File.WriteAllBytesAsync(Path.Combine(_directory, OriginalConfigName), Encoding.UTF8.GetBytes(config.ToJsonString()), cancellationToken);
            var root = Path.Combine(_bundle, config["root"]?["path"]?.GetValue<string>() ?? "rootfs");
            _attachNetwork = takeNetworkHook?.Invoke(config);
            BundleConfig.PrepareForRestore(config, CriuConfigPath, RestoreLayout.FenceHookPath, ResolveLink, p => RootedPath.Resolve(root, p), fenceHookWaits: _attachNetwork is not null);
            _cgroupPath = BundleConfig.CgroupPath(config);
            _sysctls = NetworkSysctls.Read(config);
            DurableFile.Replace(path, Encoding.UTF8.GetBytes(config.ToJsonString()));
        }
        catch (Exception e) when (e is IOException or JsonException or InvalidDataException or InvalidOperationException or ArgumentException)
        {
            throw new MigrationException("restore", $"{path}: {e.Message}", innerException: e);
        }

        if (standardStreams.Count > 0)
        {
            var early = Directory.CreateDirectory(Path.Combine(_directory, "early")).FullName;
            await File.WriteAllTextAsync(Path.Combine(early, "descriptors.json"), JsonSerializer.Serialize(standardStreams, StreamsJson.Default.IReadOnlyListString), cancellationToken);
            WriteCriuConfig([]);
            Send("create", $"restore {early} {early}");
            _begun = true;
        }
    }

    /// <summary>Hands over the images and returns when the tree is rebuilt and held at the gate.</summary>
    /// <param name="lazy">CRIU leaves memory to whoever listens in <paramref name="workDirectory"/> (its lazy pages).</param>
    /// <param name="attachNetwork">Called with init's pid once its namespaces exist, the network's fenced, and before any socket is rebuilt.</param>
    /// <exception cref="MigrationException">The restore failed; the cause is the root line of CRIU's log.</exception>
    public async Task RestoreAsync(
        string imagesDirectory, string workDirectory, bool lazy, Task<string?> startFailed, CancellationToken cancellationToken, Func<int, Task>? attachNetwork = null)
    {
        // Over what runc was told when it began. By a link: CRIU until 4.1 reads the name of the directory as one ("Can't readlink", cr-service.c).
        var images = Path.Combine(_directory, "images-dir");
        File.Delete(images);
        File.CreateSymbolicLink(images, imagesDirectory);
        WriteCriuConfig([$"images-dir {images}", $"work-dir {workDirectory}", $"log-file {Path.Combine(workDirectory, RestoreLogName)}", .. lazy ? ["lazy-pages"] : Array.Empty<string>()]);
        if (_begun)
        {
            await File.WriteAllTextAsync(Path.Combine(_directory, "work-dir"), workDirectory + "\n", cancellationToken);
        }
        else
        {
            Send("create", $"restore {imagesDirectory} {workDirectory}");
        }

        Send("images", "go");
        RestoreEvent restored;
        IReadOnlyDictionary<string, string> unset;
        try
        {
            var pid = PidOf(await NextAsync(_attachNetwork is null ? "ns" : "fenced", startFailed, cancellationToken));
            if (_attachNetwork is not null)
            {
                await _attachNetwork(pid);
            }

            // Before any socket is rebuilt; those of links have to wait until the runtime has attached them.
            unset = await SetSysctlsAsync(pid, _sysctls);
            if (attachNetwork is not null)
            {
                await attachNetwork(pid);
            }

            if (_attachNetwork is not null)
            {
                // CRIU goes on beside the runtime's way from create to start.
                await File.WriteAllBytesAsync(Path.Combine(_directory, "attached"), [], cancellationToken);
                Send("network", "go");
            }

            restored = await NextAsync("restored", startFailed, cancellationToken);
            // A runtime that has not come so far may never do: the container is not to run without it.
            if (_attachNetwork is not null && await Task.WhenAny(_started.Task.WaitAsync(cancellationToken), startFailed) == startFailed && !_started.Task.IsCompleted)
            {
                throw new MigrationException("restore", await startFailed ?? "the runtime's start returned before the container was restored");
            }

            cancellationToken.ThrowIfCancellationRequested();
        }
        catch (MigrationException e)
        {
            var root = Criu.CriuLog.RootCause(Path.Combine(workDirectory, RestoreLogName));
            if (root is null)
            {
                // CRIU was ended from outside: the runtime, whose start has failed then, knows why.
                await Task.WhenAny(startFailed, Task.Delay(RuntimeEndsWithin, cancellationToken));
                throw startFailed is { IsCompletedSuccessfully: true, Result: { } reason } ? new MigrationException("restore", reason, innerException: e) : e;
            }

            throw new MigrationException("restore", "CRIU: " + root, $"the whole log is {Path.Combine(workDirectory, RestoreLogName)}", e);
        }

        InitPid = PidOf(restored);
        // The file stays with the container, and CRIU has read it: what others do with the container is not to go by this restore.
        WriteCriuConfig([]);

        if (await SetSysctlsAsync(InitPid, _sysctls.Where(s => unset.ContainsKey(s.Key)).ToDictionary()) is { Count: > 0 } failures)
        {
            throw new MigrationException("restore", $"the container's sysctl {failures.First().Key} cannot be set here: {failures.First().Value}");
        }
    }

    /// <summary>Decides for commit if nothing has been decided; durable when it returns.</summary>
    /// <returns>False when the gate gave up first, or the held init is dead.</returns>
    public bool ClaimCommit()
    {
        if (InitPid > 0 && !Directory.Exists($"/proc/{InitPid}"))
        {
            DurableFile.TryCreateLink(Abort, DecisionPath);
        }
        else
        {
            DurableFile.TryCreateLink(Commit, DecisionPath);
        }

        DurableFile.SyncDirectory(_directory);
        return Decision == Commit;
    }

    /// <summary>Opens the gate after a successful claim, and sees to it that nobody who is to let the container run stands still. The hook re-reads the claim, so that repeating this is harmless.</summary>
    /// <param name="awaitRunningAsync">Waits until the container runs.</param>
    public async Task ReleaseAsync(Func<Task> awaitRunningAsync)
    {
        Send("gate", Commit);
        var running = awaitRunningAsync();
        while (await Task.WhenAny(running, Task.Delay(ContinueInterval)) != running)
        {
            ContinueStopped();
        }

        await running;
    }

    /// <summary>Returns the end of the restore: null for success, else the reason.</summary>
    public async Task<string?> WaitForResultAsync(CancellationToken cancellationToken)
    {
        await foreach (var restoreEvent in _events.Reader.ReadAllAsync(cancellationToken))
        {
            if (restoreEvent.Kind is "result" or "refused" or "aborted")
            {
                return restoreEvent.IsFailure ? restoreEvent.Reason : null;
            }
        }

        return "the event pipe was closed";
    }

    /// <summary>
    /// Decides for abort if nothing has been decided, and unblocks everything that waits.
    /// </summary>
    /// <returns>False when the decision was commit: it is too late.</returns>
    public bool TryAbort(string reason)
    {
        if (!Directory.Exists(_directory))
        {
            return true;
        }

        DurableFile.TryCreateLink(Abort, DecisionPath);
        DurableFile.SyncDirectory(_directory);
        if (Decision != Abort)
        {
            return false;
        }

        try
        {
            File.Move(Path.Combine(_directory, "armed"), Path.Combine(_directory, "dead"));
        }
        catch (FileNotFoundException)
        {
            // The wrapper has made it active, maybe just now, and finds the decision.
        }

        Send("create", $"{Abort} {reason.ReplaceLineEndings(" ")}");
        Send("images", Abort);
        Send("network", Abort);
        Send("gate", Abort);
        LogAborted(reason);
        return true;
    }

    /// <summary>Gives a bundle that is used again the configuration that it had before <see cref="WaitForCreateAsync"/>. Idempotent.</summary>
    public void ReturnConfig(string bundle)
    {
        var original = Path.Combine(_directory, OriginalConfigName);
        if (File.Exists(original))
        {
            DurableFile.Replace(Path.Combine(bundle, "config.json"), File.ReadAllBytes(original));
            File.Delete(original);
        }
    }

    /// <summary>The commit is recorded and the container runs: from now on the directory goes with the container.</summary>
    public void Finish()
    {
        if (Directory.Exists(_directory))
        {
            File.WriteAllBytes(Path.Combine(_directory, "finished"), []);
        }
    }

    /// <summary>Lets a container that <see cref="IsAbandoned"/> be started afresh.</summary>
    /// <returns>False when it is none.</returns>
    public bool Settle()
    {
        if (!IsAbandoned)
        {
            return false;
        }

        File.Move(Path.Combine(_directory, State!), Path.Combine(_directory, "done"));
        return true;
    }

    /// <summary>Removes every trace; only when the container is gone.</summary>
    public void Delete()
    {
        try
        {
            Directory.Delete(_directory, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Nothing was prepared, or the runtime wrapper has removed it with the container.
        }
    }

    // "PID START-TIME"; the latter is the 22nd field of /proc/PID/stat.
    private bool IsAlive(string file) => RecordedProcess.Find(Path.Combine(_directory, file)) is not null;

    // The clients wait, and nobody else can help: a CRIU, or the runc that it answers to, which somebody has stopped goes on.
    private void ContinueStopped()
    {
        if (RecordedProcess.Find(Path.Combine(_directory, "criu-pid")) is not { } criu)
        {
            return;
        }

        foreach (var id in (int[])[criu, ProcText.ReadStatFields(criu) is [_, var parent, ..] && int.TryParse(parent, out var runc) ? runc : criu])
        {
            using var process = ProcessDescriptor.Open(id);
            if (process is not null && ProcText.ReadStatFields(id) is ["T", ..])
            {
                LogContinued(id);
                process.Signal(ProcessDescriptor.Continue);
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return ValueTask.CompletedTask;
        }

        _disposed = true;
        if (_eventPipe is not null)
        {
            // The reader blocks in read(2); a line of our own wakes it.
            _eventPipe.Write("\n"u8);
            _reader?.Join(TimeSpan.FromSeconds(1));
            _eventPipe.Dispose();
        }

        foreach (var pipe in _commandPipes.Values)
        {
            pipe.Dispose();
        }

        return ValueTask.CompletedTask;
    }

    // In the pause. After a crash of the host there is no container for whom it would be read.
    private void WriteCriuConfig(IReadOnlyList<string> forThisRestore) =>
        DurableFile.ReplaceInMemory(CriuConfigPath, Encoding.UTF8.GetBytes(string.Join('\n', [
            "tcp-established",
            // The leading colon is cgroup v2; runc before 1.3 does not tell CRIU where the tasks belong.
            $"cgroup-root :{_cgroupPath}",
            $"action-script {RestoreLayout.CriuHookPath}",
            .. forThisRestore,
            ""])));

    private static async Task<IReadOnlyDictionary<string, string>> SetSysctlsAsync(int pid, IReadOnlyDictionary<string, string> sysctls)
    {
        try
        {
            return await NetworkSysctls.ApplyAsync($"/proc/{pid}/ns/net", sysctls);
        }
        catch (IOException e)
        {
            throw new MigrationException("restore", $"the container's network namespace cannot be entered: {e.Message}", innerException: e);
        }
    }

    private static int PidOf(RestoreEvent restoreEvent) => int.TryParse(restoreEvent.Arguments, out var pid) ? pid : 0;

    private static string ResolveLink(string path) =>
        new FileInfo(path).LinkTarget is null ? path : File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;

    private static int Seconds(TimeSpan time) => (int)Math.Ceiling(time.TotalSeconds);

    private void Send(string pipe, string line)
    {
        var path = Path.Combine(_directory, pipe);
        if (!File.Exists(path))
        {
            return;
        }

        // Read and write: a pipe opened so never blocks, and stays open here so that the line waits for its reader.
        var handle = _commandPipes.GetOrAdd(pipe, _ => OpenPipe(path));
        var bytes = Encoding.UTF8.GetBytes(line);
        handle.Write([.. bytes.AsSpan(0, Math.Min(bytes.Length, MaxLineBytes - 1)), (byte)'\n']);
    }

    private static FileStream OpenPipe(string path) => new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);

    private void Listen()
    {
        _eventPipe = OpenPipe(Path.Combine(_directory, "events"));
        _reader = new Thread(ReadEvents) { IsBackground = true, Name = "restore events" };
        _reader.Start();
    }

    private void ReadEvents()
    {
        var buffer = new byte[MaxEventBytes * 8];
        var filled = 0;
        while (!_disposed)
        {
            int read;
            try
            {
                read = _eventPipe!.Read(buffer.AsSpan(filled));
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                break;
            }

            if (read <= 0)
            {
                break;
            }

            filled += read;
            int newline;
            while ((newline = buffer.AsSpan(0, filled).IndexOf((byte)'\n')) >= 0)
            {
                var line = Encoding.UTF8.GetString(buffer, 0, newline);
                buffer.AsSpan(newline + 1, filled - newline - 1).CopyTo(buffer);
                filled -= newline + 1;
                if (line.Length > 0)
                {
                    LogEvent(line);
                    Take(RestoreEvent.Parse(line));
                }
            }

            if (filled == buffer.Length)
            {
                filled = 0; // no event is that long: whoever wrote it does not keep the contract
            }
        }

        _events.Writer.TryComplete();
    }

    private void Take(RestoreEvent restoreEvent)
    {
        switch (restoreEvent.Kind)
        {
            case "start":
                _started.TrySetResult();
                break;
            case "open":
                _fenceOpened.TrySetResult();
                break;
            case "running":
                _resumed.TrySetResult();
                break;
            default:
                _events.Writer.TryWrite(restoreEvent);
                break;
        }
    }

    private async Task<RestoreEvent> NextAsync(string wanted, Task<string?> startFailed, CancellationToken cancellationToken)
    {
        while (true)
        {
            var readable = _events.Reader.WaitToReadAsync(cancellationToken).AsTask();
            if (await Task.WhenAny(readable, startFailed) == startFailed && !readable.IsCompleted)
            {
                throw new MigrationException("restore", await startFailed ?? "the runtime's start returned before the container was restored");
            }

            if (!await readable)
            {
                throw new MigrationException("restore", "the event pipe was closed");
            }

            while (_events.Reader.TryRead(out var restoreEvent))
            {
                if (restoreEvent.Kind == wanted)
                {
                    return restoreEvent;
                }

                if (restoreEvent.IsFailure)
                {
                    throw new MigrationException("restore", restoreEvent.Reason);
                }
            }
        }
    }

    [LoggerMessage(LogLevel.Debug, "restore event: {Line}")]
    private partial void LogEvent(string line);

    [LoggerMessage(LogLevel.Warning, "process {Id}, which is to let the container run, was stopped; it goes on")]
    private partial void LogContinued(int id);

    [LoggerMessage(LogLevel.Information, "restore aborted: {Reason}")]
    private partial void LogAborted(string reason);
}

[System.Text.Json.Serialization.JsonSerializable(typeof(IReadOnlyList<string>))]
internal sealed partial class StreamsJson : System.Text.Json.Serialization.JsonSerializerContext;
