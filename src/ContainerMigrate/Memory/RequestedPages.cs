namespace ContainerMigrate.Memory;

/// <summary>Lets through what was asked for and nothing else.</summary>
/// <param name="requests">Not overlapping.</param>
/// <param name="sink">Gets what passes.</param>
/// <param name="arrived">Called after each piece that has passed.</param>
internal sealed class RequestedPages(IReadOnlyList<PageRequest> requests, IPageSink sink, Action arrived) : IPageSink
{
    private readonly Dictionary<int, PageSet> _open = requests.GroupBy(r => r.ProcessId).ToDictionary(
        g => g.Key, g => PageSet.Of([.. g.Select(r => new AddressRange(r.Range.Address, r.Range.End))]));

    /// <summary>What the sink has failed with.</summary>
    internal Exception? Failure { get; private set; }

    /// <summary>Pages that were asked for, and that the source has not got either.</summary>
    internal long DroppedPages { get; private set; }

    /// <summary>Every page has come, or is known not to exist.</summary>
    internal bool IsComplete => _open.Values.All(p => p.IsEmpty);

    public void Write(int processId, ulong address, ReadOnlySpan<byte> pages)
    {
        var range = new PageRange(address, (ulong)pages.Length >> MemoryPage.Shift);
        Take(processId, range);
        try
        {
            sink.Write(processId, address, pages);
        }
        catch (Exception e)
        {
            Failure = e;
            throw;
        }

        arrived();
    }

    public void WriteZero(int processId, PageRange range)
    {
        Take(processId, range);
        try
        {
            sink.WriteZero(processId, range);
        }
        catch (Exception e)
        {
            Failure = e;
            throw;
        }

        arrived();
    }

    public void Drop(int processId, PageRange range)
    {
        Take(processId, range);
        DroppedPages += (long)range.PageCount;
    }

    private void Take(int processId, PageRange range)
    {
        var taken = new AddressRange(range.Address, range.End);
        if (!_open.TryGetValue(processId, out var open) || !open.ContainsAll(taken))
        {
            throw new InvalidDataException($"{range.PageCount} pages at {range.Address:x} of process {processId} came without being asked for");
        }

        open.ExceptWith(PageSet.Of(taken));
    }
}
