using System.Buffers;
using ContainerMigrate.Images;
using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>Writes a process's page file anew, with the pages that a metadata-only dump left out, and its pagemap to match.</summary>
internal static class ImageCompletion
{
    private const int BufferBytes = PageSlab.Bytes;

    /// <param name="process">Null when nothing of it was sent.</param>
    /// <exception cref="InvalidDataException">The image leaves out a page that is not known.</exception>
    internal static void Complete(string directory, int processId, PagemapImage image, StoredProcess? process)
    {
        if (!image.Entries.Any(entry => entry.IsLeftOut))
        {
            return;
        }

        var pages = Path.Combine(directory, image.PageFileName);
        var pagemap = PagemapInventory.PathOf(directory, processId);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            using (var from = File.OpenHandle(pages))
            using (var to = File.OpenHandle(pages + ".new", FileMode.Create, FileAccess.Write))
            {
                WritePages(processId, image, process, from, to, buffer);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        // What CRIU writes itself where it dumps pages that could be lazy.
        var entries = image.Entries.Select(e => e.IsLeftOut ? e with { Flags = e.Flags | PagemapMarks.Present } : e).ToList();
        using (var stream = new FileStream(pagemap + ".new", FileMode.Create))
        {
            PagemapWriter.Write(image with { Entries = entries }, stream);
        }

        File.Move(pages + ".new", pages, overwrite: true);
        File.Move(pagemap + ".new", pagemap, overwrite: true);
    }

    private static void WritePages(int processId, PagemapImage image, StoredProcess? process, SafeFileHandle from, SafeFileHandle to, byte[] buffer)
    {
        var (read, written) = (0L, 0L);
        foreach (var entry in image.Entries)
        {
            if (entry.IsPresent)
            {
                Copy(from, read, to, written, (long)entry.Range.Bytes, buffer);
                read += (long)entry.Range.Bytes;
            }
            else if (entry.IsLeftOut)
            {
                Fill(processId, entry.Range, process, to, written, buffer);
            }

            written += entry.IsPresent || entry.IsLeftOut ? (long)entry.Range.Bytes : 0;
        }

        RandomAccess.SetLength(to, written);
    }

    private static void Fill(int processId, PageRange range, StoredProcess? process, SafeFileHandle to, long offset, byte[] buffer)
    {
        for (var start = PageSlab.Align(range.Address); start < range.End; start += PageSlab.Bytes)
        {
            var wanted = PageIndex.PagesIn(start, range);
            var slab = process?.Index.Find(start);
            if (slab is null || wanted.Without(slab.Data | slab.Zero) is { IsEmpty: false })
            {
                throw SealedIndex.Missing(processId, start, wanted, slab);
            }

            // Pages that hold zeros stay holes.
            var content = slab.Data & wanted;
            for (var at = 0; content.TryFindRun(at, out var first, out var count); at = first + count)
            {
                var pages = buffer.AsSpan(0, count << MemoryPage.Shift);
                process!.Read(slab, first, pages);
                RandomAccess.Write(to, pages, offset + (long)(start + ((ulong)first << MemoryPage.Shift) - range.Address));
            }
        }
    }

    private static void Copy(SafeFileHandle from, long read, SafeFileHandle to, long written, long length, byte[] buffer)
    {
        while (length > 0)
        {
            var count = RandomAccess.Read(from, buffer.AsSpan(0, (int)Math.Min(length, BufferBytes)), read);
            if (count == 0)
            {
                throw new InvalidDataException("a page file is shorter than its pagemap says");
            }

            RandomAccess.Write(to, buffer.AsSpan(0, count), written);
            (read, written, length) = (read + count, written + count, length - count);
        }
    }
}
