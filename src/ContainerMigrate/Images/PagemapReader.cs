using System.Buffers.Binary;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Images;

/// <summary>Reads CRIU's pagemap images of either layout. They come from a peer: nothing in them is taken for granted.</summary>
public static class PagemapReader
{
    private const PagemapMarks KnownFlags = PagemapMarks.Parent | PagemapMarks.Lazy | PagemapMarks.Present;

    /// <exception cref="InvalidDataException">It is no pagemap image, or one that lies.</exception>
    public static PagemapImage ReadFile(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 64 * 1024, FileOptions.SequentialScan);
        try
        {
            return Read(file);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{Path.GetFileName(path)}: {e.Message}", e);
        }
    }

    /// <summary>Reads to the end of the stream, which should be buffered.</summary>
    /// <exception cref="InvalidDataException">It is no pagemap image, or one that lies.</exception>
    public static PagemapImage Read(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Span<byte> message = stackalloc byte[ImageFormat.MaxMessageBytes];
        var magics = message[..(2 * sizeof(uint))];
        if (stream.ReadAtLeast(magics, magics.Length, throwOnEndOfStream: false) < magics.Length
            || BinaryPrimitives.ReadUInt32LittleEndian(magics) != ImageFormat.CommonMagic
            || BinaryPrimitives.ReadUInt32LittleEndian(magics[sizeof(uint)..]) != ImageFormat.PagemapMagic)
        {
            throw new InvalidDataException("pagemap: it does not begin like one");
        }

        var length = ReadMessage(stream, message);
        if (length < 0)
        {
            throw new InvalidDataException("pagemap: it has no head");
        }

        var pagesId = ParseHead(message[..length]);
        List<PagemapEntry> entries = [];
        PagemapLayout? layout = null;
        var end = 0UL;
        while ((length = ReadMessage(stream, message)) >= 0)
        {
            var entry = ParseEntry(message[..length], out var entryLayout);
            if (!entry.Range.IsValid || entry.Range.Address < end)
            {
                throw new InvalidDataException($"pagemap: {entry.Range.PageCount} pages at {entry.Range.Address:x} cannot be");
            }

            if ((layout ??= entryLayout) != entryLayout || entries.Count == ImageFormat.MaxEntries)
            {
                throw new InvalidDataException(entries.Count == ImageFormat.MaxEntries ? "pagemap: too many entries" : "pagemap: two layouts in one image");
            }

            end = entry.Range.End;
            entries.Add(entry);
        }

        return new PagemapImage(pagesId, layout ?? PagemapLayout.Wide, entries);
    }

    private static uint ParseHead(ReadOnlySpan<byte> message)
    {
        ulong? pagesId = null;
        var fields = new ProtobufFields(message);
        while (fields.MoveNext())
        {
            pagesId = fields.Number == ImageFormat.HeadPagesId ? fields.Value : pagesId;
        }

        return pagesId is { } id and <= uint.MaxValue ? (uint)id : throw new InvalidDataException("pagemap: the head names no page file");
    }

    private static PagemapEntry ParseEntry(ReadOnlySpan<byte> message, out PagemapLayout layout)
    {
        ulong? address = null, compatibleCount = null, count = null, flags = null;
        var inParent = false;
        var fields = new ProtobufFields(message);
        while (fields.MoveNext())
        {
            switch (fields.Number)
            {
                case ImageFormat.EntryAddress:
                    address = fields.Value;
                    break;
                case ImageFormat.EntryCompatiblePageCount:
                    compatibleCount = fields.Value;
                    break;
                case ImageFormat.EntryInParent:
                    inParent = fields.Value != 0;
                    break;
                case ImageFormat.EntryFlags:
                    flags = fields.Value;
                    break;
                case ImageFormat.EntryPageCount:
                    count = fields.Value;
                    break;
            }
        }

        if (address is null || compatibleCount is null or > uint.MaxValue || flags > (ulong)KnownFlags)
        {
            throw new InvalidDataException("pagemap: an entry with a field missing or out of its range");
        }

        layout = count is null ? PagemapLayout.Compatible : PagemapLayout.Wide;
        // As CRIU's init_compat_pagemap_entry: before there were flags, what is not in the parent is present.
        var where = (PagemapMarks)(flags ?? (inParent ? 0UL : (ulong)PagemapMarks.Present)) | (inParent ? PagemapMarks.Parent : PagemapMarks.None);
        return new PagemapEntry(new PageRange(address.Value, count ?? compatibleCount.Value), where);
    }

    /// <returns>Bytes of the next message; -1 at the end of the file.</returns>
    private static int ReadMessage(Stream stream, Span<byte> message)
    {
        Span<byte> head = stackalloc byte[sizeof(uint)];
        var read = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        if (read == 0)
        {
            return -1;
        }

        var length = read == head.Length ? BinaryPrimitives.ReadUInt32LittleEndian(head) : uint.MaxValue;
        if (length > message.Length)
        {
            throw new InvalidDataException(read < head.Length ? "pagemap: it ends in the middle" : $"pagemap: a message of {length} bytes");
        }

        return stream.ReadAtLeast(message[..(int)length], (int)length, throwOnEndOfStream: false) == length
            ? (int)length
            : throw new InvalidDataException("pagemap: it ends in the middle");
    }
}
