using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Cgroups;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Criu.Metadata;

/// <inheritdoc cref="IMetadataDump"/>
/// <remarks>
/// While the container runs runc is started up to its call of CRIU (<see cref="CriuGate"/>), in a mount namespace where the pagemap of each process is that of
/// one stand-in, as yet empty. If what the processes turn out to have does not go with that, everything is started anew.
/// </remarks>
internal sealed class MetadataDump : IMetadataDump
{
    private readonly IProcessRunner _processes;
    private readonly ProcessCommand _checkpoint;
    private readonly string _cgroupDirectory;
    private readonly string _directory;
    private readonly string _images;
    private readonly Action<string> _finish;
    private readonly Func<ProcessResult, MigrationException> _explain;
    private readonly HashSet<int> _hidden = [];
    private CriuGate? _gate;
    private PagemapStandIn? _standIn;
    private IRunningProcess? _runc;

    private MetadataDump(IProcessRunner processes, ProcessCommand checkpoint, string cgroupDirectory, string directory, Action<string> finish, Func<ProcessResult, MigrationException> explain)
    {
        _processes = processes;
        _checkpoint = checkpoint;
        _cgroupDirectory = cgroupDirectory;
        _directory = directory;
        _images = CheckpointImages.DirectoryIn(directory);
        _finish = finish;
        _explain = explain;
    }

    /// <param name="processes">Starts runc.</param>
    /// <param name="checkpoint">runc's command.</param>
    /// <param name="cgroupDirectory">The container's.</param>
    /// <param name="directory">The migration's own directory.</param>
    /// <param name="finish">Puts the images right, in their directory.</param>
    /// <param name="explain">Makes the failure from how runc ended.</param>
    /// <exception cref="MigrationException">What is needed cannot be had here.</exception>
    public static async Task<MetadataDump> PrepareAsync(
        IProcessRunner processes, ProcessCommand checkpoint, string cgroupDirectory, string directory, Action<string> finish, Func<ProcessResult, MigrationException> explain)
    {
        var dump = new MetadataDump(processes, checkpoint, cgroupDirectory, directory, finish, explain);
        try
        {
            dump._standIn = await PagemapStandIn.StartAsync();
            dump._gate = CriuGate.Create(directory);
            dump._hidden.UnionWith(ProcessCgroup.ReadProcesses(cgroupDirectory));
            dump._runc = await processes.StartAsync(
                checkpoint with
                {
                    Environment = new Dictionary<string, string?>(checkpoint.Environment) { [CriuGate.Variable] = dump._gate.Path },
                    Overmounts = [.. dump._hidden.Select(id => new Overmount(dump._standIn.Pagemap, $"/proc/{id}/pagemap"))],
                },
                CancellationToken.None);
            return dump;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ProcessStartException)
        {
            await dump.DisposeAsync();
            throw new MigrationException("dump", $"the container's memory cannot be kept out of the dump: {e.Message}", "migrate with --mode stop-and-copy", e);
        }
    }

    /// <inheritdoc/>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var memory = LeftOutMemory.Find(_cgroupDirectory);
        var result = await TryGoAsync(memory, cancellationToken) ?? await StartAnewAsync(memory, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        if (result.ExitCode != 0)
        {
            throw _explain(result);
        }

        memory.Complete(_images);
        _finish(_images);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _gate?.Abort();
        if (_runc is not null)
        {
            if (!_runc.HasEnded)
            {
                try
                {
                    // Not stopped: CRIU must not be, should it be at work all the same.
                    await AbandonedCheckpoint.AwaitEndAsync(_directory);
                }
                catch (TimeoutException)
                {
                    // It is stopped.
                }
            }

            await _runc.DisposeAsync();
        }

        if (_standIn is not null)
        {
            await _standIn.DisposeAsync();
        }

        _gate?.Dispose();
        (_gate, _runc, _standIn) = (null, null, null);
    }

    /// <summary>Null when what was readied does not fit, and has been let go.</summary>
    private async Task<ProcessResult?> TryGoAsync(LeftOutMemory memory, CancellationToken cancellationToken)
    {
        if (_runc is not null && !_runc.HasEnded && memory.Groups is [var group] && group.Processes.All(p => _hidden.Contains(p.Id)))
        {
            await _standIn!.FurnishAsync(group.Pages, group.Guards);
            _gate!.Go();
            return await AbandonedCheckpoint.SeeToItsEndAsync(_runc.WaitAsync(CancellationToken.None), _directory, cancellationToken);
        }

        await DisposeAsync();
        if (Directory.Exists(_images))
        {
            // A runc that did not wait at the gate has left images of a running container.
            Directory.Delete(_images, recursive: true);
        }

        Directory.CreateDirectory(_images);
        return null;
    }

    private async Task<ProcessResult> StartAnewAsync(LeftOutMemory memory, CancellationToken cancellationToken)
    {
        List<PagemapStandIn> standIns = [];
        try
        {
            List<Overmount> overmounts = [];
            foreach (var group in memory.Groups)
            {
                var standIn = await PagemapStandIn.StartAsync();
                standIns.Add(standIn);
                await standIn.FurnishAsync(group.Pages, group.Guards);
                overmounts.AddRange(group.Processes.Select(p => new Overmount(standIn.Pagemap, $"/proc/{p.Id}/pagemap")));
            }

            return await AbandonedCheckpoint.SeeToItsEndAsync(_processes.RunAsync(_checkpoint with { Overmounts = overmounts }, CancellationToken.None), _directory, cancellationToken);
        }
        catch (IOException e)
        {
            throw new MigrationException("dump", $"the container's memory cannot be kept out of the dump: {e.Message}", "migrate with --mode stop-and-copy", e);
        }
        finally
        {
            foreach (var standIn in standIns)
            {
                await standIn.DisposeAsync();
            }
        }
    }
}
