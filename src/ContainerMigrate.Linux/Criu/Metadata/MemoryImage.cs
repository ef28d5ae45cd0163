using System.Buffers.Binary;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Criu.Metadata;

/// <summary>What CRIU's image <c>mm-PID.img</c> (images/mm.proto, images/vma.proto) says of a process's mappings.</summary>
internal sealed class MemoryImage
{
    private const int HeaderBytes = 3 * sizeof(uint); // two magic numbers, the length of the only message
    private const int Mappings = 14; // mm_entry
    private const int Start = 1; // vma_entry
    private const int End = 2;
    private const int Flags = 6;
    private const int Status = 7;

    // sys/mman.h
    private const ulong Private = 0x2;
    private const ulong Anonymous = 0x20;
    private const ulong Locked = 0x2000;
    private const ulong HugeTlb = 0x40000;

    // criu/include/image.h
    private const ulong Regular = 1 << 0;
    private const ulong FilePrivate = 1 << 6;
    private const ulong AnonymousPrivate = 1 << 9;
    private const ulong KernelsOwn = (1 << 2) | (1 << 3) | (1 << 12); // VMA_AREA_VSYSCALL, VDSO, VVAR

    /// <summary>Mappings that CRIU dumps page by page.</summary>
    internal PageSet Dumped { get; } = new();

    /// <summary>Those of them that it restores lazily (vma_entry_can_be_lazy).</summary>
    internal PageSet Lazy { get; } = new();

    /// <exception cref="InvalidDataException">It is no such image.</exception>
    internal static MemoryImage Read(string imagesDirectory, int innerId)
    {
        var bytes = File.ReadAllBytes(Path.Combine(imagesDirectory, $"mm-{innerId}.img"));
        if (bytes.Length < HeaderBytes || BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(HeaderBytes - sizeof(uint))) != bytes.Length - HeaderBytes)
        {
            throw new InvalidDataException($"mm-{innerId}.img is cut off");
        }

        return Parse(bytes.AsSpan(HeaderBytes));
    }

    internal static MemoryImage Parse(ReadOnlySpan<byte> message)
    {
        var image = new MemoryImage();
        while (ProtobufField.TryTake(ref message, out var field))
        {
            if (field.Number == Mappings)
            {
                image.Add(field.Content);
            }
        }

        return image;
    }

    private void Add(ReadOnlySpan<byte> mapping)
    {
        ulong start = 0, end = 0, flags = 0, status = 0;
        while (ProtobufField.TryTake(ref mapping, out var field))
        {
            switch (field.Number)
            {
                case Start:
                    start = field.Value;
                    break;
                case End:
                    end = field.Value;
                    break;
                case Flags:
                    flags = field.Value;
                    break;
                case Status:
                    status = field.Value;
                    break;
            }
        }

        if (start >= end || (start | end) % MemoryPage.Bytes != 0)
        {
            throw new InvalidDataException($"a mapping from {start:x} to {end:x}");
        }

        var range = new AddressRange(start, end);
        if ((status & Regular) != 0 && (status & (AnonymousPrivate | FilePrivate)) != 0 && (flags & Private) != 0)
        {
            Dumped.Add(range);
        }

        if ((flags & (Private | Anonymous)) == (Private | Anonymous) && (flags & (Locked | HugeTlb)) == 0 && (status & KernelsOwn) == 0)
        {
            Lazy.Add(range);
        }
    }
}
