using System.Runtime.InteropServices;
using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory.SoftDirty;

/// <summary>Reads <c>/proc/PID/pagemap</c> page by page: what there is before PAGEMAP_SCAN (Linux 6.7). 10 ms for each GiB, half a millisecond where there is nothing.</summary>
internal static class Pagemap
{
    /// <summary>Of the same size on every machine that the tracker is made for: what one page table describes.</summary>
    internal const int TablePages = 512;

    internal const ulong TableBytes = (ulong)TablePages * MemoryPage.Bytes;

    /// <summary>The kernel's page of zeros; null when page frames are not told (without CAP_SYS_ADMIN).</summary>
    internal static ulong? ZeroFrame { get; } = FindZeroFrame();

    /// <summary>Reads as many entries as there is room for.</summary>
    /// <exception cref="IOException">The address space is gone.</exception>
    internal static void Read(SafeFileHandle pagemap, ulong start, Span<ulong> entries)
    {
        var bytes = MemoryMarshal.AsBytes(entries);
        var position = (long)(start / MemoryPage.Bytes * PagemapEntry.Bytes);
        while (!bytes.IsEmpty)
        {
            var count = RandomAccess.Read(pagemap, bytes, position);
            if (count == 0)
            {
                throw new IOException("the address space is gone");
            }

            bytes = bytes[count..];
            position += count;
        }
    }

    /// <summary>Adds the pages that exist, without the kernel's page of zeros.</summary>
    /// <param name="pagemap">An open <c>/proc/PID/pagemap</c>.</param>
    /// <param name="range">Where to look.</param>
    /// <param name="withFiles">Also pages that are those of a file.</param>
    /// <param name="found">Gets the pages.</param>
    /// <exception cref="IOException">The address space is gone.</exception>
    internal static void FindExisting(SafeFileHandle pagemap, AddressRange range, bool withFiles, PageSet found)
    {
        var zeroFrame = ZeroFrame ?? throw new IOException("page frames are not told in /proc/PID/pagemap");
        var entries = new ulong[Math.Min(range.PageCount, 16 * TablePages)];
        for (var start = range.Start; start < range.End; start += (ulong)entries.Length * MemoryPage.Bytes)
        {
            var part = entries.AsSpan(0, (int)Math.Min((ulong)entries.Length, (range.End - start) / MemoryPage.Bytes));
            Read(pagemap, start, part);
            for (var i = 0; i < part.Length; i++)
            {
                if (PagemapEntry.Identify(part[i], withFiles ? MappingKind.Anonymous : MappingKind.PrivateFile, zeroFrame) != 0)
                {
                    var page = start + ((ulong)i * MemoryPage.Bytes);
                    found.Add(new AddressRange(page, page + MemoryPage.Bytes));
                }
            }
        }
    }

    // Two pages that were only read are the same page frame.
    private static unsafe ulong? FindZeroFrame()
    {
        const nuint Bytes = 1 << 20; // fresh from the kernel, and too small for a huge page of zeros
        var memory = (byte*)NativeMemory.AlignedAlloc(Bytes, MemoryPage.Bytes);
        try
        {
            Span<ulong> entries = stackalloc ulong[2];
            using var pagemap = File.OpenHandle("/proc/self/pagemap");
            for (var i = 0; i < entries.Length; i++)
            {
                var page = memory + (Bytes / 2) + (i * MemoryPage.Bytes);
                _ = Volatile.Read(ref *page);
                Read(pagemap, (ulong)page, entries.Slice(i, 1));
            }

            var frame = entries[0] & PagemapEntry.Frame;
            return frame != 0 && frame == (entries[1] & PagemapEntry.Frame) ? frame : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }
}
