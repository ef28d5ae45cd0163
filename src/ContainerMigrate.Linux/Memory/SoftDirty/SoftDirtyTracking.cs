using ContainerMigrate.Memory;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Memory.SoftDirty;

/// <inheritdoc cref="IMemoryTracking"/>
/// <remarks>
/// To read the bits and to clear them are two steps, and what is written in between would be lost. So a scan of a running container looks first at all that there is, and
/// then lets it stand still to look again at where there was something, and to clear. Only the second look counts; what it saves is to look at where there is nothing.
/// A process that is seen for the first time need not stand still: its bits are cleared first, and all that it has is taken for written.
/// </remarks>
internal sealed class SoftDirtyTracking : IMemoryTracking
{
    private readonly string _cgroupDirectory;
    private readonly ContainerStop _stop;
    private readonly ProcessMemoryReader _plain = new();
    private readonly VerifyingReader _reader;
    private readonly SharedObjects _shared;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly SortedDictionary<int, SoftDirtyProcess> _processes = [];
    private readonly List<ContainerProcessId> _ended = [];
    private bool _wasFrozen;
    private bool _disposed;

    internal SoftDirtyTracking(string cgroupDirectory)
    {
        _cgroupDirectory = cgroupDirectory;
        _stop = new ContainerStop(cgroupDirectory);
        _reader = new VerifyingReader(_plain);
        _shared = new SharedObjects(_plain);
    }

    /// <inheritdoc/>
    public IProcessMemoryReader Reader => _reader;

    /// <inheritdoc/>
    public bool IsFrozen { get; set; }

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

            // The bits that were cleared stay so: the kernel looks at them for nobody else, and a page's first write gives them back.
            _disposed = true;
            foreach (var process in _processes.Values)
            {
                process.Dispose();
            }

            _shared.Dispose();
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
        var stopped = IsFrozen || _stop.IsFrozen ? ScanFrozen(cancellationToken) : await ScanRunningAsync(cancellationToken);
        _shared.BeginScan();
        foreach (var process in _processes.Values)
        {
            if (process.Space is { } space)
            {
                _reader.Set(process.Id.HostId, space);
                _shared.Add(process.Id.HostId, space);
            }
            else
            {
                _reader.Remove(process.Id.HostId);
            }
        }

        ContainerProcessId[] ended = [.. _ended];
        _ended.Clear();
        return new MemoryScan
        {
            Processes = [.. _processes.Values.Select(p => p.Report())],
            Shared = _shared.Report(hasUnseenProcesses: true),
            Ended = ended,
            Stopped = stopped,
            LongestStop = stopped,
        };
    }

    private TimeSpan ScanFrozen(CancellationToken cancellationToken)
    {
        // What is found twice because the bits were left alone costs less than to clear them again in the pause.
        var clear = !_wasFrozen;
        foreach (var process in _processes.Values)
        {
            cancellationToken.ThrowIfCancellationRequested();
            process.LookFrozen(_processes.Values, clear);
        }

        _wasFrozen = true;
        if (!IsFrozen && !_stop.IsFrozen)
        {
            ForgetAll();
        }

        return TimeSpan.Zero;
    }

    private async Task<TimeSpan> ScanRunningAsync(CancellationToken cancellationToken)
    {
        _wasFrozen = false;
        foreach (var process in _processes.Values)
        {
            cancellationToken.ThrowIfCancellationRequested();
            process.Look(_processes.Values);
        }

        if (!_processes.Values.Any(p => p.HasToSettle))
        {
            return TimeSpan.Zero;
        }

        var (stopped, toTheEnd) = await _stop.DuringAsync(() =>
        {
            foreach (var process in _processes.Values.Where(p => p.HasToSettle))
            {
                process.Settle();
            }
        });
        if (!toTheEnd)
        {
            ForgetAll();
        }

        return stopped;
    }

    // What was written between a look and the clearing of bits is lost.
    private void ForgetAll()
    {
        foreach (var process in _processes.Values)
        {
            process.Forget();
        }
    }

    private void UpdateProcesses()
    {
        var present = Cgroups.ProcessCgroup.ReadProcesses(_cgroupDirectory).ToHashSet();
        foreach (var (id, process) in _processes.ToArray())
        {
            // One that moves from one cgroup beneath to another while they are listed may be in no list, once.
            var wasMissing = process.IsMissing;
            process.IsMissing = !present.Contains(id);
            if (process.HasEnded || (wasMissing && process.IsMissing))
            {
                _processes.Remove(id);
                _reader.Remove(id);
                _ended.Add(process.Id);
                process.Dispose();
            }
        }

        foreach (var id in present)
        {
            if (!_processes.ContainsKey(id) && SoftDirtyProcess.Open(id) is { } process)
            {
                _processes.Add(id, process);
            }
        }
    }
}
