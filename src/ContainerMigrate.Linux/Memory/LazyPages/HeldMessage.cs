using System.Buffers.Binary;
using System.Runtime.InteropServices;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>A message between server and holder: four numbers of 32 bits.</summary>
/// <param name="Kind">What it says.</param>
/// <param name="Space">Number of the address space; 0 for none.</param>
/// <param name="ProcessId">Of a restored process, in the images; else 0.</param>
/// <param name="Parent">Number of the address space that it was forked from; 0 for a restored process's.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct HeldMessage(HeldKind Kind, int Space = 0, int ProcessId = 0, int Parent = 0)
{
    internal const int Bytes = 16;

    /// <summary>For a page of a dumped process: its number is in <see cref="Space"/> (the lower half) and <see cref="Parent"/>.</summary>
    internal static HeldMessage Wanted(int processId, ulong address)
    {
        var page = address >> MemoryPage.Shift;
        return new HeldMessage(HeldKind.Wanted, (int)(uint)page, processId, (int)(page >> 32));
    }

    /// <summary>The address that <see cref="Wanted"/> was given.</summary>
    internal ulong Address => ((ulong)(uint)Parent << 32 | (uint)Space) << MemoryPage.Shift;

    internal void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteInt32LittleEndian(destination, (int)Kind);
        BinaryPrimitives.WriteInt32LittleEndian(destination[4..], Space);
        BinaryPrimitives.WriteInt32LittleEndian(destination[8..], ProcessId);
        BinaryPrimitives.WriteInt32LittleEndian(destination[12..], Parent);
    }

    internal static HeldMessage Read(ReadOnlySpan<byte> source) => new(
        (HeldKind)BinaryPrimitives.ReadInt32LittleEndian(source),
        BinaryPrimitives.ReadInt32LittleEndian(source[4..]),
        BinaryPrimitives.ReadInt32LittleEndian(source[8..]),
        BinaryPrimitives.ReadInt32LittleEndian(source[12..]));
}
