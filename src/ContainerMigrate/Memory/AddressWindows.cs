namespace ContainerMigrate.Memory;

/// <summary>
/// Where pages that a process had when it was dumped are in its address space now: a restored process may move mappings (mremap(2)) while
/// their pages are still on their way.
/// </summary>
public sealed class AddressWindows
{
    // In ascending order of Start, not overlapping. What a process unmaps stays: nothing is loaded there any more, and no fault comes from it.
    private readonly List<Window> _windows;

    /// <summary>Everything is where it was.</summary>
    public AddressWindows() => _windows = [new Window(0, MemoryPage.AddressLimit, 0)];

    private AddressWindows(List<Window> windows) => _windows = windows;

    /// <summary>For a child process, whose address space is a copy.</summary>
    public AddressWindows Clone() => new([.. _windows]);

    /// <summary>The address that a page had when it was dumped; null for one that came since.</summary>
    public ulong? ToImage(ulong address)
    {
        var i = IndexAt(address);
        return i < _windows.Count && _windows[i].Start <= address ? _windows[i].ImageOf(address) : null;
    }

    /// <summary>The parts of a range, by the addresses that they had when they were dumped.</summary>
    public IEnumerable<PageRange> ToImage(PageRange range)
    {
        for (var i = IndexAt(range.Address); i < _windows.Count && _windows[i].Start < range.End; i++)
        {
            var part = _windows[i].Part(range.Address, range.End);
            yield return new PageRange(part.ImageStart, (part.End - part.Start) >> MemoryPage.Shift);
        }
    }

    /// <summary>Where dumped pages are now.</summary>
    /// <param name="image">By the addresses that they had.</param>
    /// <returns>The part of it that begins with its first page and lies together; null when that page is nowhere any more.</returns>
    public PageRange? FromImage(PageRange image)
    {
        foreach (var window in _windows)
        {
            if (image.Address - window.ImageStart < window.End - window.Start)
            {
                var start = window.Start + (image.Address - window.ImageStart);
                return new PageRange(start, Math.Min(image.PageCount, (window.End - start) >> MemoryPage.Shift));
            }
        }

        return null;
    }

    /// <summary>A mapping was moved; whatever was at its new place is gone.</summary>
    public void Move(PageRange source, ulong to)
    {
        var moved = Cut(source);
        Cut(source with { Address = to });
        foreach (var window in moved)
        {
            var start = window.Start - source.Address + to;
            _windows.Insert(IndexAt(start), new Window(start, start + (window.End - window.Start), window.ImageStart));
        }
    }

    private List<Window> Cut(PageRange range)
    {
        List<Window> cut = [];
        var i = IndexAt(range.Address);
        while (i < _windows.Count && _windows[i].Start < range.End)
        {
            var window = _windows[i];
            cut.Add(window.Part(range.Address, range.End));
            _windows.RemoveAt(i);
            if (window.Start < range.Address)
            {
                _windows.Insert(i++, window.Part(window.Start, range.Address));
            }

            if (window.End > range.End)
            {
                _windows.Insert(i, window.Part(range.End, window.End));
            }
        }

        return cut;
    }

    /// <summary>The first window that ends behind an address.</summary>
    private int IndexAt(ulong address)
    {
        var (low, high) = (0, _windows.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _windows[middle].End <= address ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private sealed record Window(ulong Start, ulong End, ulong ImageStart)
    {
        internal ulong ImageOf(ulong address) => address - Start + ImageStart;

        internal Window Part(ulong from, ulong to)
        {
            var start = Math.Max(from, Start);
            return new Window(start, Math.Min(to, End), ImageOf(start));
        }
    }
}
