using ContainerMigrate.Images;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Tests.Migration;

/// <summary>Memory of a container with one process that writes whenever it is let: one byte stands for a page's content.</summary>
internal sealed class RunningMemory
{
    private const ulong Start = 0x5000_0000;
    private readonly Random _random = new(7);
    private readonly SortedDictionary<ulong, byte> _pages = [];
    private readonly HashSet<ulong> _written = [];

    public RunningMemory() => Write(64);

    public const int ProcessId = 1;

    public IReadOnlyDictionary<ulong, byte> Pages
    {
        get
        {
            lock (_pages)
            {
                return _pages.ToDictionary();
            }
        }
    }

    /// <summary>The process writes to some pages, and unmaps one.</summary>
    public void Write(int count)
    {
        lock (_pages)
        {
            for (var i = 0; i < count; i++)
            {
                var address = Start + ((ulong)_random.Next(256) << MemoryPage.Shift);
                _pages[address] = (byte)_random.Next(256);
                _written.Add(address);
            }

            _pages.Remove(Start + ((ulong)_random.Next(256) << MemoryPage.Shift));
        }
    }

    /// <summary>What was written since the last time; all of it at first.</summary>
    public PageSet Scan(bool all)
    {
        lock (_pages)
        {
            var found = Of(_pages.Keys.Where(a => all || _written.Contains(a)));
            _written.Clear();
            return found;
        }
    }

    public void Read(ReadOnlySpan<AddressRange> ranges, Span<byte> destination, PageSet unreadable)
    {
        lock (_pages)
        {
            foreach (var range in ranges)
            {
                for (var address = range.Start; address < range.End; address += MemoryPage.Bytes)
                {
                    var found = _pages.TryGetValue(address, out var content);
                    destination[..MemoryPage.Bytes].Fill(content);
                    destination = destination[MemoryPage.Bytes..];
                    if (!found)
                    {
                        unreadable.Add(new AddressRange(address, address + MemoryPage.Bytes));
                    }
                }
            }
        }
    }

    /// <summary>What CRIU's metadata dump says: these pages exist, and their content is elsewhere.</summary>
    public void WritePagemap(string directory)
    {
        var entries = Of(Pages.Keys.Order()).Ranges.ToArray().Select(r => new PagemapEntry(new PageRange(r.Start, (ulong)r.PageCount), PagemapMarks.Lazy)).ToList();
        using var file = File.Create(PagemapInventory.PathOf(directory, ProcessId));
        PagemapWriter.Write(new PagemapImage(1, PagemapLayout.Wide, entries), file);
    }

    private static PageSet Of(IEnumerable<ulong> pages)
    {
        var set = new PageSet();
        foreach (var page in pages)
        {
            set.Add(new AddressRange(page, page + MemoryPage.Bytes));
        }

        return set;
    }
}
