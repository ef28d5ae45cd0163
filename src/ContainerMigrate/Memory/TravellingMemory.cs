using ContainerMigrate.Migration;

namespace ContainerMigrate.Memory;

/// <summary>
/// A running container's memory on its way to another host: what the destination holds of each process, and what it lacks. A page counts as
/// held from the moment it was read to the scan that finds it written again. One call at a time.
/// </summary>
/// <param name="tracking">Owned: disposing this ends it.</param>
public sealed class TravellingMemory(IMemoryTracking tracking) : IAsyncDisposable, IPageSource
{
    private readonly Dictionary<int, ProcessPages> _processes = [];

    /// <summary>Bytes known to be missing at the destination.</summary>
    public long PendingBytes => _processes.Values.Sum(p => p.Pending.Bytes);

    /// <summary>For how long processes were stopped so far, all together.</summary>
    public TimeSpan Stopped { get; private set; }

    /// <summary>The container is frozen from here on.</summary>
    public void StandStill() => tracking.IsFrozen = true;

    /// <summary>Finds what was written since the last scan.</summary>
    /// <exception cref="MigrationException">The container is gone.</exception>
    public async Task ScanAsync(CancellationToken cancellationToken)
    {
        var scan = await tracking.ScanAsync(cancellationToken);
        Stopped += scan.Stopped;
        foreach (var ended in scan.Ended)
        {
            _processes.Remove(ended.InnerId);
        }

        foreach (var memory in scan.Processes.Where(p => p.SharesMemoryOf is null))
        {
            if (memory.IsNew || !_processes.TryGetValue(memory.Process.InnerId, out var pages))
            {
                // What a process of that number had before says nothing about this one.
                _processes[memory.Process.InnerId] = pages = new ProcessPages(memory.Process.HostId);
            }

            pages.Held.ExceptWith(memory.Written);
            pages.Pending.UnionWith(memory.Written);
        }
    }

    /// <summary>What is pending stays here for good, as far as this is concerned.</summary>
    /// <returns>The pages.</returns>
    public IReadOnlyDictionary<ContainerProcessId, PageSet> LeaveBehind()
    {
        Dictionary<ContainerProcessId, PageSet> left = [];
        foreach (var (id, process) in _processes.Where(p => !p.Value.Pending.IsEmpty))
        {
            var pages = left[new ContainerProcessId(process.HostId, id)] = new PageSet();
            pages.UnionWith(process.Pending);
            process.Pending.Clear();
        }

        return left;
    }

    /// <summary>Sends what is pending, as one <see cref="PageStreamFormat"/> stream.</summary>
    public async Task<PageStreamTotals> SendPendingAsync(Stream destination, CancellationToken cancellationToken)
    {
        await using var writer = new PageStreamWriter(destination, cancellationToken);
        foreach (var (id, pages) in _processes)
        {
            await SendAsync(writer, id, pages, pages.Pending);
            pages.Pending.Clear();
        }

        return await writer.CompleteAsync();
    }

    /// <summary>
    /// Takes as pending what the destination will need and does not hold: the exact answer, once the container is frozen and CRIU has said which pages exist.
    /// </summary>
    /// <param name="needed">By pid in the container.</param>
    /// <exception cref="MigrationException">CRIU knows a process that was never seen.</exception>
    public void ExpectExactly(IReadOnlyDictionary<int, PageSet> needed)
    {
        ArgumentNullException.ThrowIfNull(needed);
        foreach (var (id, pages) in needed)
        {
            if (!_processes.TryGetValue(id, out var process))
            {
                throw new MigrationException("dump", $"process {id} of the container appeared while it was frozen");
            }

            process.Pending.Clear();
            process.Pending.UnionWith(pages);
            process.Pending.ExceptWith(process.Held);
        }

        foreach (var (id, process) in _processes.Where(p => !needed.ContainsKey(p.Key)))
        {
            process.Pending.Clear(); // a zombie, or a page set that CRIU carries itself
        }
    }

    /// <inheritdoc/>
    public int Read(int processId, ulong address, Span<byte> destination)
    {
        var process = _processes[processId];
        var range = new AddressRange(address, address + (ulong)destination.Length);
        process.Unreadable.Clear();
        tracking.Reader.Read(process.HostId, [range], destination, process.Unreadable);
        var readable = process.Unreadable.IsEmpty ? range.End : process.Unreadable.Ranges[0].Start;
        return (int)((readable - address) >> MemoryPage.Shift);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => tracking.DisposeAsync();

    private async Task SendAsync(PageStreamWriter writer, int id, ProcessPages process, PageSet pages)
    {
        // A page that cannot be read does not exist any more; should it come back, a scan finds it written.
        foreach (var range in pages.Ranges.ToArray())
        {
            await writer.WriteAsync(id, new PageRange(range.Start, (ulong)range.PageCount), this);
        }

        process.Held.UnionWith(pages);
    }

    private sealed class ProcessPages(int hostId)
    {
        public int HostId => hostId;

        public PageSet Pending { get; } = new();

        public PageSet Held { get; } = new();

        /// <summary>Of the last read.</summary>
        public PageSet Unreadable { get; } = new();
    }
}
