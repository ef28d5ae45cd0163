using System.Buffers.Binary;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Images;

/// <summary>Writes pagemap images the way CRIU does: what was read from one of its images becomes the same bytes again.</summary>
public static class PagemapWriter
{
    private const int MaxEntryBytes = 64;

    /// <param name="image">Entries as <see cref="PagemapImage.Entries"/> says.</param>
    /// <param name="stream">Should be buffered; is not flushed.</param>
    public static void Write(PagemapImage image, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(stream);
        Span<byte> buffer = stackalloc byte[MaxEntryBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(buffer, ImageFormat.CommonMagic);
        BinaryPrimitives.WriteUInt32LittleEndian(buffer[sizeof(uint)..], ImageFormat.PagemapMagic);
        stream.Write(buffer[..(2 * sizeof(uint))]);

        var end = Field(buffer, sizeof(uint), ImageFormat.HeadPagesId, image.PagesId);
        WriteMessage(stream, buffer[..end]);
        foreach (var entry in image.Entries)
        {
            // 32 bits hold 16 TiB of pages; CRIU's own older writer cuts nothing either.
            var rest = entry.Range;
            do
            {
                var count = image.Layout == PagemapLayout.Wide ? rest.PageCount : Math.Min(rest.PageCount, uint.MaxValue);
                end = Field(buffer, sizeof(uint), ImageFormat.EntryAddress, rest.Address);
                end = Field(buffer, end, ImageFormat.EntryCompatiblePageCount, image.Layout == PagemapLayout.Wide ? 0 : count);
                end = Field(buffer, end, ImageFormat.EntryFlags, (ulong)entry.Flags);
                end = image.Layout == PagemapLayout.Wide ? Field(buffer, end, ImageFormat.EntryPageCount, count) : end;
                WriteMessage(stream, buffer[..end]);
                rest = new PageRange(rest.Address + (count << MemoryPage.Shift), rest.PageCount - count);
            }
            while (rest.PageCount > 0);
        }
    }

    private static void WriteMessage(Stream stream, Span<byte> message)
    {
        BinaryPrimitives.WriteInt32LittleEndian(message, message.Length - sizeof(uint));
        stream.Write(message);
    }

    /// <returns>Where the next field goes.</returns>
    private static int Field(Span<byte> buffer, int position, int number, ulong value)
    {
        buffer[position++] = (byte)(number << 3);
        for (; value >= 0x80; value >>= 7)
        {
            buffer[position++] = (byte)(value | 0x80);
        }

        buffer[position++] = (byte)value;
        return position;
    }
}
