using ContainerMigrate.Linux.Cgroups;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Memory;

/// <inheritdoc cref="IMemoryTracking"/>
internal sealed class MemoryTracking : IMemoryTracking
{
    private readonly string _cgroupDirectory;
    private readonly ProcessMemoryReader _reader = new();
    private readonly SharedObjects _shared;
    private readonly ProcessBirths _births = new();
    private readonly SemaphoreSlim _turn = new(1);

    // By number, so that each scan goes through them in the same order.
    private readonly SortedDictionary<int, TrackedProcess> _processes = [];
    private readonly List<ContainerProcessId> _ended = [];
    private bool _hasUnseenProcesses; // since the last report
    private bool _disposed;

    internal MemoryTracking(string cgroupDirectory)
    {
        _cgroupDirectory = cgroupDirectory;
        _shared = new SharedObjects(_reader);
    }

    /// <inheritdoc/>
    public IProcessMemoryReader Reader => _reader;

    /// <inheritdoc/>
    public bool IsFrozen { get; set; } // of no consequence: nothing is frozen here

    /// <inheritdoc/>
    public async Task<MemoryScan> ScanAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return await Task.Run(() => ScanAllAsync(cancellationToken), cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _turn.WaitAsync();
        try
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            foreach (var process in _processes.Values)
            {
                await process.ReleaseAsync();
                process.Dispose();
            }

            _shared.Dispose();
            _births.Dispose();
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<MemoryScan> ScanAllAsync(CancellationToken cancellationToken)
    {
        if (!Directory.Exists(_cgroupDirectory))
        {
            throw new MigrationException("memory", $"{_cgroupDirectory} is gone: the container has ended");
        }

        UpdateProcesses();
        _hasUnseenProcesses |= _births.AnySinceLast(_processes.Keys);
        _shared.BeginScan();
        foreach (var process in _processes.Values)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await process.ScanAsync(_processes.Values, SaysFrozen);
            if (process.Space is { } space)
            {
                _reader.Set(process.Id.HostId, space.Memory);
                _shared.Add(process.Id.HostId, space);
            }
            else
            {
                _reader.Remove(process.Id.HostId);
            }
        }

        return Report();
    }

    private MemoryScan Report()
    {
        var processes = _processes.Values.Select(p => p.Report()).ToArray();
        ContainerProcessId[] ended = [.. _ended];
        _ended.Clear();
        var shared = _shared.Report(_hasUnseenProcesses);
        _hasUnseenProcesses = false;
        return new MemoryScan
        {
            Processes = processes,
            Shared = shared,
            Ended = ended,
            Stopped = processes.Aggregate(TimeSpan.Zero, (sum, process) => sum + process.Stopped),
            LongestStop = processes.Select(p => p.Stopped).DefaultIfEmpty().Max(),
        };
    }

    private void UpdateProcesses()
    {
        var present = ProcessCgroup.ReadProcesses(_cgroupDirectory).ToHashSet();
        foreach (var (id, process) in _processes.ToArray())
        {
            // One that moves from one cgroup beneath to another while they are listed may be in no list, once.
            var wasMissing = process.IsMissing;
            process.IsMissing = !present.Contains(id);
            if (process.HasEnded || (wasMissing && process.IsMissing))
            {
                // What it wrote last, to what others share with it, is not known.
                _hasUnseenProcesses = true;
                _processes.Remove(id);
                _reader.Remove(id);
                _ended.Add(process.Id);
                process.Dispose();
            }
        }

        foreach (var id in present)
        {
            if (!_processes.ContainsKey(id) && TrackedProcess.Open(id) is { } process)
            {
                _processes.Add(id, process);
            }
        }
    }

    private bool SaysFrozen()
    {
        try
        {
            return CgroupEvents.IsFrozen(File.ReadAllText(Path.Combine(_cgroupDirectory, "cgroup.events")));
        }
        catch (IOException)
        {
            return false;
        }
    }
}
