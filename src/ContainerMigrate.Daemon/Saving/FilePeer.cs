using System.Text.Json.Nodes;
using ContainerMigrate.Host;
using ContainerMigrate.Journal;
using ContainerMigrate.Linux.Files;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using ContainerMigrate.Protocol;
using ContainerMigrate.Saving;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Daemon.Saving;

/// <summary>
/// A file as the destination of a migration: it takes what a host would take, and its commit is the file's name. Until then it is called <c>NAME.part</c>; GO gives it its name, once all of it is on the
/// disk, so that what bears the name is whole, and the container's only owner where it does not go on running here.
/// </summary>
/// <param name="path">Absolute; also this peer's name in journals and messages, which no host's can be.</param>
internal sealed class FilePeer(string path, IHostInspector host, string hostName, TimeProvider time) : IPeer, IAsyncDisposable
{
    private const string Stage = "save";
    private const string PartSuffix = ".part";

    private readonly SemaphoreSlim _writing = new(1, 1);
    private FileStream? _file;
    private SavedFileWriter? _writer;

    /// <inheritdoc/>
    public string Name => path;

    /// <summary>What it is encrypted with; null for nothing.</summary>
    public SavedSecret? Secret { get; init; }

    /// <summary>The image goes along.</summary>
    public bool WithImage { get; init; }

    /// <summary>Where the restart policy is found at the end. Null for a file that is only to be finished or removed.</summary>
    public IMigrationJournal? Journal { get; set; }

    private string PartPath => path + PartSuffix;

    /// <summary>Whether a journal's peer is a file.</summary>
    public static bool IsFile(string peer) => peer.StartsWith('/');

    /// <exception cref="MigrationException">It cannot become a file here.</exception>
    public static void CheckPath(string path, string hostName)
    {
        if (!Path.IsPathFullyQualified(path) || Path.GetFullPath(path) != path || path.EndsWith('/') || path.Any(char.IsControl))
        {
            throw Refused(hostName, $"'{path}' is not an absolute path of a file");
        }

        if (!Directory.Exists(Path.GetDirectoryName(path)))
        {
            throw Refused(hostName, $"there is no directory {Path.GetDirectoryName(path)}", "make it");
        }

        foreach (var taken in (string[])[path, path + PartSuffix])
        {
            if (Path.Exists(taken) || new FileInfo(taken).LinkTarget is not null)
            {
                throw Refused(hostName, $"{taken} exists already", "choose another name, or remove it");
            }
        }
    }

    /// <inheritdoc/>
    public async Task<PeerCheckReply> CheckAsync(PeerCheckRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        CheckPath(path, hostName);
        var facts = await host.ReadFactsAsync(cancellationToken) with { HostName = hostName, AvailableMemoryBytes = long.MaxValue / 2, FreeDiskBytes = new DriveInfo(Path.GetDirectoryName(path)!).AvailableFreeSpace };
        // What is only read stays where it is; whoever restores the container has to have the same.
        var mounts = request.Manifest.Mounts.Where(m => m.HasFiles)
            .Select(m => new MountFacts { Target = m.Target, IsAllowed = true, IsIdentical = m.Fingerprint.Length > 0, FreeBytes = long.MaxValue / 2, FreeEntries = long.MaxValue / 2 });
        return new PeerCheckReply(facts, [], WithImage ? request.Manifest.Image?.LayerDigests ?? [] : [], [], [.. mounts]);
    }

    /// <inheritdoc/>
    public async Task<ReserveReply> ReserveAsync(ReserveRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        CheckPath(path, hostName);
        await TryAsync(async () =>
        {
            _file = new FileStream(PartPath, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
            _writer = new SavedFileWriter(_file, Secret);
            await SavedFile.WriteManifestAsync(_writer, new SavedManifest(time.GetUtcNow(), request.Manifest, request.SourceFacts), cancellationToken);
        });
        return new ReserveReply(true, [], WithImage ? request.Manifest.Image?.LayerDigests ?? [] : []);
    }

    /// <inheritdoc/>
    public async Task<StreamReply> SendAsync(string migrationId, BulkTransfer stream, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(write);
        if (PartOf(stream) is not { } part)
        {
            // Packets that come while it is dumped are delivered here, if anywhere; a probe is for links.
            await write(Stream.Null, cancellationToken);
            return new StreamReply(0, 0, new PacketTotals(0, 0, 0, 0));
        }

        await _writing.WaitAsync(cancellationToken);
        try
        {
            var bytes = 0L;
            await TryAsync(async () => bytes = await Writer.WriteAsync(part, write, cancellationToken));
            return new StreamReply(1, bytes);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <inheritdoc/>
    public Task ReadKeptAsync(string migrationId, int tree, Func<Stream, CancellationToken, Task> read, CancellationToken cancellationToken) => throw new NotSupportedException("a file keeps nothing");

    /// <inheritdoc/>
    public async Task<PrepareReply> PrepareAsync(string migrationId, PrepareRequest request, CancellationToken cancellationToken)
    {
        await TryAsync(async () =>
        {
            await SavedFile.WriteSettingsAsync(Writer, new SavedSettings((JsonObject?)Journal?.Value(JournalKeys.RestartPolicy)?.DeepClone() ?? []), cancellationToken);
            await Writer.CompleteAsync(cancellationToken);
            if (!LeaveRunning)
            {
                // GO will be recorded: from then on it is all that there is.
                SyncPart();
            }
        });
        return new PrepareReply(path, new Dictionary<string, double>());
    }

    /// <summary>The container goes on before the disk has the file.</summary>
    public bool LeaveRunning { get; init; }

    /// <inheritdoc/>
    public async Task<PeerState> GoAsync(string migrationId, GoRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        try
        {
            if (File.Exists(PartPath))
            {
                if (LeaveRunning)
                {
                    SyncPart();
                }

                await CloseAsync();
                File.Move(PartPath, path, overwrite: false);
            }

            if (File.Exists(path))
            {
                DurableFile.SyncDirectory(Path.GetDirectoryName(path)!);
                return new PeerState(MigrationPhase.Committed, request.Epoch, Running: true, path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && File.Exists(PartPath))
        {
            // It does not have its name: the container may be given back.
            await RemoveAsync();
            return new PeerState(MigrationPhase.Aborted, request.Epoch, Running: false, e.Message, MigrationFailure.OfTransfer(hostName, e) with { Stage = Stage });
        }

        return new PeerState(MigrationPhase.Aborted, request.Epoch, Running: false, "", new MigrationFailure(hostName, Stage, $"{path} is gone"));
    }

    /// <inheritdoc/>
    public async Task<PeerState> AbortAsync(string migrationId, AbortRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        await RemoveAsync();
        return new PeerState(MigrationPhase.Aborted, request.Epoch, Running: false, request.Reason);
    }

    /// <inheritdoc/>
    public Task<PeerState> GetStateAsync(string migrationId, CancellationToken cancellationToken) => Task.FromResult(new PeerState(MigrationPhase.Receiving, 1, Running: false, ""));

    /// <inheritdoc/>
    public Task<PeerState> SettleAsync(string migrationId, CancellationToken cancellationToken) => Task.FromResult(new PeerState(MigrationPhase.Committed, 1, Running: true, path));

    /// <inheritdoc/>
    public Task<PeerState> FinishAsync(string migrationId, CancellationToken cancellationToken) => Task.FromResult(new PeerState(MigrationPhase.Done, 1, Running: true, path));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _writing.Dispose();
    }

    private static SavedPart? PartOf(BulkTransfer stream) => stream switch
    {
        BulkTransfer.Image => SavedPart.Image,
        BulkTransfer.Files => SavedPart.Files,
        BulkTransfer.Layer => SavedPart.Layer,
        BulkTransfer.Log => SavedPart.Log,
        BulkTransfer.Pages => SavedPart.Pages,
        BulkTransfer.Checkpoint => SavedPart.Checkpoint,
        _ => null,
    };

    private static MigrationException Refused(string hostName, string cause, string? next = null) => new(new MigrationFailure(hostName, "check", cause, next));

    private SavedFileWriter Writer => _writer ?? throw new MigrationException(Stage, "the file is not open");

    private void SyncPart()
    {
        using var handle = File.OpenHandle(PartPath, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        RandomAccess.FlushToDisk(handle);
    }

    private async Task RemoveAsync()
    {
        await CloseAsync();
        File.Delete(PartPath);
    }

    private async Task CloseAsync()
    {
        Interlocked.Exchange(ref _writer, null)?.Dispose();
        if (Interlocked.Exchange(ref _file, null) is { } file)
        {
            await file.DisposeAsync();
        }
    }

    private async Task TryAsync(Func<Task> write)
    {
        try
        {
            await write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new MigrationException(MigrationFailure.OfTransfer(hostName, e) with { Stage = Stage }, e);
        }
    }
}
