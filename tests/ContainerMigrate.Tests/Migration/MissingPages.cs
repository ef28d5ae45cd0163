using ContainerMigrate.Memory;

namespace ContainerMigrate.Tests.Migration;

/// <summary>What a machine still lacks of a container's memory; outlives the daemon that fetches it.</summary>
internal sealed class MissingPages(DaemonLife life, Machine machine) : IMissingMemory
{
    public long TotalBytes => machine.MissingTotal;

    public long MissingBytes
    {
        get
        {
            lock (machine.MissingPages)
            {
                return machine.MissingPages.Bytes;
            }
        }
    }

    public Task NotNeeded { get; } = new TaskCompletionSource().Task;

    /// <summary>Null when it lacks nothing.</summary>
    public static MissingPages? Of(DaemonLife life, Machine machine) => machine.MissingTotal == 0 ? null : new MissingPages(life, machine);

    public IReadOnlyList<PageRequest> FindRest(int maxPages, int maxRequests)
    {
        lock (machine.MissingPages)
        {
            // A few at a time, so that there is something to die in between.
            return [.. machine.MissingPages.Ranges.ToArray().Take(4).Select(r => new PageRequest(RunningMemory.ProcessId, new PageRange(r.Start, (ulong)r.PageCount)))];
        }
    }

    public async Task<IReadOnlyList<PageRequest>> WaitForFaultsAsync(int maxPages, int maxRequests, CancellationToken cancellationToken)
    {
        await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
        return [];
    }

    public void Write(int processId, ulong address, ReadOnlySpan<byte> pages)
    {
        for (var page = 0; page < pages.Length; page += MemoryPage.Bytes)
        {
            Keep(address + (ulong)page, pages[page]);
        }
    }

    public void WriteZero(int processId, PageRange range)
    {
        for (var address = range.Address; address < range.End; address += MemoryPage.Bytes)
        {
            Keep(address, 0);
        }
    }

    public void Drop(int processId, PageRange range) => throw new InvalidDataException();

    public void Dispose()
    {
    }

    private void Keep(ulong address, byte content)
    {
        if (life.IsDead)
        {
            throw new KilledException();
        }

        lock (machine.MissingPages)
        {
            machine.ArrivedPages![address] = content;
            machine.MissingPages.ExceptWith(PageSet.Of(new AddressRange(address, address + MemoryPage.Bytes)));
        }
    }
}
