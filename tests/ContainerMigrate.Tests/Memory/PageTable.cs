using ContainerMigrate.Memory;

namespace ContainerMigrate.Tests.Memory;

/// <summary>Pages of processes in a dictionary: a source and a sink that cannot be wrong. A page that is not in it is not there.</summary>
internal sealed class PageTable : IPageSource, IPageSink
{
    private static readonly byte[] Zeros = new byte[MemoryPage.Bytes];

    public Dictionary<(int ProcessId, ulong Address), byte[]> Pages { get; } = [];

    public int Reads { get; private set; }

    public void Fill(int processId, ulong address, int count, Func<int, byte[]> content)
    {
        for (var i = 0; i < count; i++)
        {
            Pages[(processId, address + ((ulong)i << MemoryPage.Shift))] = content(i);
        }
    }

    public static byte[] Page(int seed)
    {
        var page = new byte[MemoryPage.Bytes];
        new Random(seed).NextBytes(page);
        return page;
    }

    public static byte[] ZeroPage() => Zeros;

    public int Read(int processId, ulong address, Span<byte> destination)
    {
        Reads++;
        var count = 0;
        for (; !destination.IsEmpty && Pages.TryGetValue((processId, address), out var page); count++)
        {
            page.CopyTo(destination);
            destination = destination[MemoryPage.Bytes..];
            address += MemoryPage.Bytes;
        }

        return count;
    }

    public void Write(int processId, ulong address, ReadOnlySpan<byte> pages)
    {
        for (; !pages.IsEmpty; pages = pages[MemoryPage.Bytes..], address += MemoryPage.Bytes)
        {
            Pages[(processId, address)] = pages[..MemoryPage.Bytes].ToArray();
        }
    }

    public void WriteZero(int processId, PageRange range) => Fill(processId, range.Address, (int)range.PageCount, _ => Zeros);

    public void Drop(int processId, PageRange range)
    {
        for (var i = 0UL; i < range.PageCount; i++)
        {
            Pages.Remove((processId, range.Address + (i << MemoryPage.Shift)));
        }
    }
}
