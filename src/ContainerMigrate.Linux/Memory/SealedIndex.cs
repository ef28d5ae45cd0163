using System.Buffers.Binary;
using ContainerMigrate.Images;
using ContainerMigrate.Memory;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Memory;

/// <summary>
/// Which pages of a process a lazy restore has to bring, and where in the store's file they are. On disk, little endian: <c>u64 magic,
/// u32 version, u32 slabs</c>, for each slab in ascending order <c>u64 address, u32 slot, u32 0</c>, 512 bits for the pages to bring and 512 for those
/// of them that were with the source alone when the store was sealed, and <c>u64</c> XXH64 of
/// everything before.
/// </summary>
internal sealed class SealedIndex
{
    private const ulong Magic = 0x0058_444E_494D_5443; // "CTMINDX" and a zero byte
    private const uint Version = 2;
    private const int HeadBytes = 16;
    private const int SlabBytes = 16 + (2 * BitsBytes);
    private const int BitsBytes = PageBits.Bytes;

    private SealedIndex(IReadOnlyList<PageSlab> slabs) => Slabs = slabs;

    /// <summary>In ascending order; <see cref="PageSlab.Data"/> is what has to be brought, <see cref="PageSlab.Missing"/> what of that was not here.</summary>
    internal IReadOnlyList<PageSlab> Slabs { get; }

    internal long MissingPages => Slabs.Sum(slab => (long)slab.Missing.Count);

    internal long DataPages => Slabs.Sum(slab => (long)slab.Data.Count);

    internal long ZeroPages { get; private init; }

    /// <exception cref="InvalidDataException">The image leaves out a page that is not known.</exception>
    internal static SealedIndex Build(int processId, PagemapImage image, PageIndex? index)
    {
        List<PageSlab> slabs = [];
        var zeroPages = 0L;
        foreach (var entry in image.Entries)
        {
            if (!entry.IsLazy)
            {
                continue; // CRIU restores it itself
            }

            for (var start = PageSlab.Align(entry.Range.Address); start < entry.Range.End; start += PageSlab.Bytes)
            {
                var wanted = PageIndex.PagesIn(start, entry.Range);
                if (index?.Find(start) is not { } slab || wanted.Without(slab.Known) is { IsEmpty: false })
                {
                    throw Missing(processId, start, wanted, index?.Find(start));
                }

                zeroPages += (slab.Zero & wanted).Count;
                var last = slabs.Count > 0 && slabs[^1].Address == start ? slabs[^1] : null;
                if (last is null)
                {
                    slabs.Add(last = new PageSlab(start, slab.Slot));
                }

                last.Data |= (slab.Data | slab.Missing) & wanted;
                last.Missing |= slab.Missing & wanted;
            }
        }

        slabs.RemoveAll(slab => slab.Data.IsEmpty);
        return new SealedIndex(slabs) { ZeroPages = zeroPages };
    }

    /// <summary>Index of the slab that begins at an address; as List.BinarySearch, the complement of where it would be when there is none.</summary>
    internal int IndexOf(ulong slabAddress)
    {
        var (low, high) = (0, Slabs.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = Slabs[middle].Address < slabAddress ? (middle + 1, high) : (low, middle);
        }

        return low < Slabs.Count && Slabs[low].Address == slabAddress ? low : ~low;
    }

    /// <summary>Replaces the file as a whole.</summary>
    internal void WriteTo(string path)
    {
        var bytes = new byte[HeadBytes + (Slabs.Count * SlabBytes) + sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), Slabs.Count);
        var rest = bytes.AsSpan(HeadBytes);
        foreach (var slab in Slabs)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(rest, slab.Address);
            BinaryPrimitives.WriteInt32LittleEndian(rest[8..], slab.Slot);
            slab.Data.Write(rest[16..]);
            slab.Missing.Write(rest[(16 + BitsBytes)..]);
            rest = rest[SlabBytes..];
        }

        BinaryPrimitives.WriteUInt64LittleEndian(rest, Digest(bytes.AsSpan(0, bytes.Length - sizeof(ulong))));

        // Not synced: it outlives the processes of this host, which is all it is for (the container dies with the kernel), and an fsync
        // here, in the pause, would make ext4 write the store's gigabytes first.
        var temporary = path + ".new";
        File.WriteAllBytes(temporary, bytes);
        File.Move(temporary, path, overwrite: true);
    }

    /// <exception cref="InvalidDataException">It is not what <see cref="WriteTo"/> wrote.</exception>
    internal static SealedIndex ReadFrom(string path)
    {
        var bytes = File.ReadAllBytes(path);
        var count = bytes.Length >= HeadBytes ? BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(12)) : -1;
        if (count < 0 || bytes.Length != HeadBytes + ((long)count * SlabBytes) + sizeof(ulong)
            || BinaryPrimitives.ReadUInt64LittleEndian(bytes) != Magic || BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(8)) != Version
            || BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(bytes.Length - sizeof(ulong))) != Digest(bytes.AsSpan(0, bytes.Length - sizeof(ulong))))
        {
            throw new InvalidDataException($"{path} is damaged");
        }

        List<PageSlab> slabs = new(count);
        for (var rest = bytes.AsSpan(HeadBytes); slabs.Count < count; rest = rest[SlabBytes..])
        {
            slabs.Add(new PageSlab(BinaryPrimitives.ReadUInt64LittleEndian(rest), BinaryPrimitives.ReadInt32LittleEndian(rest[8..]))
            {
                Data = PageBits.Read(rest[16..]), Missing = PageBits.Read(rest[(16 + BitsBytes)..]),
            });
        }

        return new SealedIndex(slabs);
    }

    /// <summary>For a page that the images leave out and nobody sent.</summary>
    internal static InvalidDataException Missing(int processId, ulong slabAddress, in PageBits wanted, PageSlab? slab)
    {
        (slab is null ? wanted : wanted.Without(slab.Known)).TryFindRun(0, out var first, out var count);
        return new InvalidDataException($"the images leave out {count} pages at {slabAddress + ((ulong)first << MemoryPage.Shift):x} of process {processId}, and they did not arrive");
    }

    private static ulong Digest(ReadOnlySpan<byte> bytes)
    {
        var digest = new StreamDigest();
        digest.Append(bytes);
        return digest.GetCurrent();
    }
}
