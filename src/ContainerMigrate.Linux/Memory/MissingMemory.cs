using System.Threading.Channels;
using ContainerMigrate.Linux.Memory.LazyPages;
using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>
/// What a sealed store lacks, since the source has kept it. Pages are written where the index has a place for them, and only then said to
/// be there: the server of the restore reads them while others arrive.
/// </summary>
internal sealed class MissingMemory : IMissingMemory
{
    private const int ZeroPages = 64;
    private static readonly byte[] Zeros = new byte[ZeroPages << MemoryPage.Shift];

    private const long TellIntervalMilliseconds = 5;

    private readonly Dictionary<int, Process> _processes;
    private readonly ChannelReader<(int ProcessId, ulong Address)> _wanted;
    private readonly HashSet<(int, ulong)> _waitedFor = [];
    private readonly Action _tellArrived;
    private readonly Lock _lock = new();
    private long _missingPages;
    private long _lastTold;
    private bool _isDisposed;

    private MissingMemory(Dictionary<int, Process> processes, LazyRestore restore)
    {
        _processes = processes;
        (_wanted, _tellArrived) = (restore.Wanted, restore.TellArrived);
        NotNeeded = WhenLoadedAsync(restore.Completion);
        TotalBytes = processes.Values.Sum(p => p.Index.MissingPages) << MemoryPage.Shift;
        _missingPages = processes.Values.Sum(p => p.CountMissing());
    }

    public long TotalBytes { get; }

    public long MissingBytes => Interlocked.Read(ref _missingPages) << MemoryPage.Shift;

    public Task NotNeeded { get; }

    /// <summary>Opens what a store lacks.</summary>
    /// <param name="store">Sealed.</param>
    /// <param name="restore">Serves it.</param>
    /// <returns>Null when nothing had stayed behind.</returns>
    internal static MissingMemory? Open(string store, LazyRestore restore)
    {
        Dictionary<int, Process> processes = [];
        foreach (var processId in StoreFiles.Processes(store).Where(id => File.Exists(StoreFiles.Arrived(store, id))))
        {
            processes.Add(processId, new Process(store, processId));
        }

        return processes.Count > 0 ? new MissingMemory(processes, restore) : null;
    }

    public IReadOnlyList<PageRequest> FindRest(int maxPages, int maxRequests)
    {
        lock (_lock)
        {
            List<PageRequest> requests = [];
            foreach (var process in _processes.Values.OrderBy(p => p.Id))
            {
                process.AddNext(requests, ref maxPages, maxRequests);
            }

            return requests;
        }
    }

    public async Task<IReadOnlyList<PageRequest>> WaitForFaultsAsync(int maxPages, int maxRequests, CancellationToken cancellationToken)
    {
        while (true)
        {
            await _wanted.WaitToReadAsync(cancellationToken);
            var requests = TakeFaults(maxPages, maxRequests);
            if (requests.Count > 0)
            {
                return requests;
            }
        }
    }

    public void Write(int processId, ulong address, ReadOnlySpan<byte> pages) => Take(processId, new PageRange(address, (ulong)pages.Length >> MemoryPage.Shift), pages);

    // Written, since the file may still have what they held when they were sent before.
    public void WriteZero(int processId, PageRange range)
    {
        for (var left = range.PageCount; left > 0;)
        {
            var count = Math.Min(left, (ulong)ZeroPages);
            Take(processId, new PageRange(range.End - (left << MemoryPage.Shift), count), Zeros.AsSpan(0, (int)count << MemoryPage.Shift));
            left -= count;
        }
    }

    public void Drop(int processId, PageRange range) => throw new InvalidDataException("a page that has stayed behind cannot be dropped");

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            foreach (var process in _processes.Values)
            {
                process.Dispose();
            }
        }
    }

    // Never for a server that keeps dying, nor at this daemon's end: then the pages are still needed.
    private static async Task WhenLoadedAsync(Task<bool> completion)
    {
        await ((Task)completion).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!completion.IsCompletedSuccessfully || !completion.Result)
        {
            await new TaskCompletionSource().Task;
        }
    }

    private List<PageRequest> TakeFaults(int maxPages, int maxRequests)
    {
        List<PageRequest> requests = [];
        lock (_lock)
        {
            HashSet<(int, ulong)> asked = [];
            while (requests.Count < maxRequests && _wanted.TryRead(out var page))
            {
                if (!_processes.TryGetValue(page.ProcessId, out var process) || process.FindMissing(page.Address, maxPages) is not { } run)
                {
                    _tellArrived(); // it came between the fault and now
                    continue;
                }

                // Neighbours that somebody waits for too are asked for once.
                if (!asked.Contains((page.ProcessId, run.Address)))
                {
                    var count = 0UL;
                    while (count < run.PageCount && asked.Add((page.ProcessId, run.Address + (count << MemoryPage.Shift))))
                    {
                        count++;
                    }

                    requests.Add(new PageRequest(page.ProcessId, run with { PageCount = count }));
                    _waitedFor.Add((page.ProcessId, page.Address));
                }
            }
        }

        return requests;
    }

    private void Take(int processId, PageRange range, ReadOnlySpan<byte> content)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            var process = _processes.GetValueOrDefault(processId) ?? throw new InvalidDataException($"process {processId} lacks nothing");
            Interlocked.Add(ref _missingPages, -process.Take(range, content));
            var isWaitedFor = false;
            if (_waitedFor.Count > 0)
            {
                isWaitedFor = _waitedFor.RemoveWhere(w => w.Item1 == processId && w.Item2 >= range.Address && w.Item2 < range.End) > 0;
            }

            if (isWaitedFor || Environment.TickCount64 - _lastTold >= TellIntervalMilliseconds || _missingPages == 0)
            {
                _lastTold = Environment.TickCount64;
                _tellArrived();
            }
        }
    }

    private sealed class Process : IDisposable
    {
        private readonly SafeFileHandle _file;
        private readonly ArrivedPages _arrived;
        private readonly PageBits[] _missing;
        private int _next;

        internal Process(string store, int id)
        {
            Id = id;
            Index = SealedIndex.ReadFrom(StoreFiles.Index(store, id));
            _arrived = ArrivedPages.Open(store, id, Index);
            _missing = [.. Index.Slabs.Select((slab, i) => slab.Missing.Without(_arrived.Read(i)))];
            _file = File.OpenHandle(StoreFiles.Pages(store, id), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        }

        internal int Id { get; }

        internal SealedIndex Index { get; }

        internal long CountMissing() => _missing.Sum(bits => (long)bits.Count);

        internal void AddNext(List<PageRequest> requests, ref int maxPages, int maxRequests)
        {
            while (_next < _missing.Length && _missing[_next].IsEmpty)
            {
                _next++; // nothing comes back
            }

            for (var i = _next; i < _missing.Length && maxPages > 0 && requests.Count < maxRequests; i++)
            {
                for (var at = 0; maxPages > 0 && requests.Count < maxRequests && _missing[i].TryFindRun(at, out var first, out var count); at = first + count)
                {
                    count = Math.Min(count, maxPages);
                    maxPages -= count;
                    requests.Add(new PageRequest(Id, new PageRange(Index.Slabs[i].Address + ((ulong)first << MemoryPage.Shift), (ulong)count)));
                }
            }
        }

        /// <returns>The row that begins with a page; null when that is here.</returns>
        internal PageRange? FindMissing(ulong address, int maxPages)
        {
            var page = PageSlab.PageOf(address);
            return Index.IndexOf(PageSlab.Align(address)) is var i && i >= 0 && _missing[i].TryFindRun(page, out var first, out var count) && first == page
                ? new PageRange(MemoryPage.Align(address), (ulong)Math.Min(count, maxPages))
                : null;
        }

        /// <param name="content">Of all of the range.</param>
        /// <returns>Pages that were missing.</returns>
        internal long Take(PageRange range, ReadOnlySpan<byte> content)
        {
            var taken = 0L;
            for (var start = PageSlab.Align(range.Address); start < range.End; start += PageSlab.Bytes)
            {
                if (Index.IndexOf(start) is var i && i < 0)
                {
                    continue;
                }

                var pages = PageIndex.PagesIn(start, range) & _missing[i];
                for (var at = 0; pages.TryFindRun(at, out var first, out var count); at = first + count)
                {
                    var offset = (int)(start + ((ulong)first << MemoryPage.Shift) - range.Address);
                    RandomAccess.Write(_file, content.Slice(offset, count << MemoryPage.Shift), Index.Slabs[i].OffsetOf(first));
                }

                if (!pages.IsEmpty)
                {
                    taken += pages.Count;
                    _missing[i] = _missing[i].Without(pages);
                    _arrived.Write(i, Index.Slabs[i].Missing.Without(_missing[i]));
                }
            }

            return taken;
        }

        public void Dispose()
        {
            _file.Dispose();
            _arrived.Dispose();
        }
    }
}
