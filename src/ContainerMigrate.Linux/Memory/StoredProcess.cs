using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>One process's pages in a store: a sparse file and what is known of it.</summary>
internal sealed class StoredProcess : IDisposable
{
    private readonly SafeFileHandle _file;

    internal StoredProcess(string path) =>
        _file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read);

    internal PageIndex Index { get; } = new();

    internal void Write(ulong address, ReadOnlySpan<byte> pages)
    {
        while (!pages.IsEmpty)
        {
            var slab = Index.FindOrAdd(address);
            var first = PageSlab.PageOf(address);
            var count = Math.Min(PageSlab.Pages - first, pages.Length >> MemoryPage.Shift);
            var part = pages[..(count << MemoryPage.Shift)];
            RandomAccess.Write(_file, part, slab.OffsetOf(first));
            Index.Set(slab, PageBits.Of(first, count), PageRunKind.Data);
            pages = pages[part.Length..];
            address += (ulong)part.Length;
        }
    }

    internal void WriteZero(PageRange range)
    {
        for (var start = PageSlab.Align(range.Address); start < range.End; start += PageSlab.Bytes)
        {
            Forget(Index.FindOrAdd(start), PageIndex.PagesIn(start, range), PageRunKind.Zero);
        }
    }

    /// <summary>Gives them a place, and leaves in it what came earlier: in the pause there is no time to take it out.</summary>
    internal void Miss(PageRange range)
    {
        for (var start = PageSlab.Align(range.Address); start < range.End; start += PageSlab.Bytes)
        {
            Index.Set(Index.FindOrAdd(start), PageIndex.PagesIn(start, range), PageRunKind.Missing);
        }
    }

    internal void Drop(PageRange range)
    {
        foreach (var slab in Index.Overlapping(range))
        {
            Forget(slab, PageIndex.PagesIn(slab.Address, range), PageRunKind.Dropped);
        }
    }

    /// <summary>Reads pages that have content.</summary>
    internal void Read(PageSlab slab, int first, Span<byte> pages)
    {
        if (RandomAccess.Read(_file, pages, slab.OffsetOf(first)) != pages.Length)
        {
            throw new IOException("the store's file is shorter than it was written");
        }
    }

    public void Dispose() => _file.Dispose();

    private void Forget(PageSlab slab, in PageBits pages, PageRunKind kind)
    {
        var content = slab.Data & pages;
        for (var from = 0; content.TryFindRun(from, out var first, out var count); from = first + count)
        {
            FileHoles.Punch(_file, slab.OffsetOf(first), (long)count << MemoryPage.Shift);
        }

        Index.Set(slab, pages, kind);
    }
}
