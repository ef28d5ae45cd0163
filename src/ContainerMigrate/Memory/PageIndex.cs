namespace ContainerMigrate.Memory;

/// <summary>
/// What a store knows of one process's pages, and where in the store's file each of them lies. A page keeps its place: content that comes
/// again overwrites it, and the file's size is that of the memory, rounded up to slabs, however often pages are sent. Costs about 220
/// bytes for 2 MiB of memory.
/// </summary>
public sealed class PageIndex
{
    private readonly Dictionary<ulong, PageSlab> _slabs = [];
    private PageSlab? _last;

    /// <summary>Pages with content.</summary>
    public long DataPages { get; private set; }

    /// <summary>Pages that hold zeros.</summary>
    public long ZeroPages { get; private set; }

    /// <summary>Pages that are with the source alone.</summary>
    public long MissingPages { get; private set; }

    /// <summary>In no particular order.</summary>
    public IReadOnlyCollection<PageSlab> Slabs => _slabs.Values;

    /// <summary>The slab of an address; null when nothing is known there.</summary>
    public PageSlab? Find(ulong address)
    {
        var start = PageSlab.Align(address);
        return _last?.Address == start ? _last : _slabs.TryGetValue(start, out var slab) ? _last = slab : null;
    }

    /// <summary>The slab of an address, which gets a place in the file if it has none.</summary>
    public PageSlab FindOrAdd(ulong address)
    {
        if (Find(address) is { } found)
        {
            return found;
        }

        // Slots are never given back: a slab whose pages are all dropped is a hole in the file.
        _last = new PageSlab(PageSlab.Align(address), _slabs.Count);
        _slabs.Add(_last.Address, _last);
        return _last;
    }

    /// <summary>Changes what is known of some of a slab's pages.</summary>
    public void Set(PageSlab slab, in PageBits pages, PageRunKind kind)
    {
        ArgumentNullException.ThrowIfNull(slab);
        DataPages -= slab.Data.Count;
        ZeroPages -= slab.Zero.Count;
        MissingPages -= slab.Missing.Count;
        slab.Data = kind == PageRunKind.Data ? slab.Data | pages : slab.Data.Without(pages);
        slab.Zero = kind == PageRunKind.Zero ? slab.Zero | pages : slab.Zero.Without(pages);
        slab.Missing = kind == PageRunKind.Missing ? slab.Missing | pages : slab.Missing.Without(pages);
        DataPages += slab.Data.Count;
        ZeroPages += slab.Zero.Count;
        MissingPages += slab.Missing.Count;
    }

    /// <summary>Slabs that overlap a range and about which something is known.</summary>
    public IEnumerable<PageSlab> Overlapping(PageRange range)
    {
        var slabs = ((range.End - PageSlab.Align(range.Address) - 1) / PageSlab.Bytes) + 1;
        if (slabs > (ulong)_slabs.Count)
        {
            return _slabs.Values.Where(slab => slab.Address < range.End && slab.Address + PageSlab.Bytes > range.Address);
        }

        return Enumerable.Range(0, (int)slabs).Select(i => Find(PageSlab.Align(range.Address) + ((ulong)i * PageSlab.Bytes))).OfType<PageSlab>();
    }

    /// <summary>Which of a slab's pages are in a range that overlaps it.</summary>
    public static PageBits PagesIn(ulong slabAddress, PageRange range)
    {
        var start = Math.Max(range.Address, slabAddress);
        var end = Math.Min(range.End, slabAddress + PageSlab.Bytes);
        return end <= start ? default : PageBits.Of((int)((start - slabAddress) >> MemoryPage.Shift), (int)((end - start) >> MemoryPage.Shift));
    }
}
