using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>Something that a server's successor has to know. On disk: <c>u32 kind, u32 space, u64 a, u64 b, u64 c</c>, little endian.</summary>
/// <param name="Kind">What.</param>
/// <param name="Space">Number of the address space.</param>
/// <param name="A">As <see cref="JournalKind"/> says.</param>
/// <param name="B">As <see cref="JournalKind"/> says.</param>
/// <param name="C">As <see cref="JournalKind"/> says.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct JournalRecord(JournalKind Kind, int Space, ulong A = 0, ulong B = 0, ulong C = 0)
{
    internal const int Bytes = 32;

    internal void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteInt32LittleEndian(destination, (int)Kind);
        BinaryPrimitives.WriteInt32LittleEndian(destination[4..], Space);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], A);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], B);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[24..], C);
    }

    internal static JournalRecord Read(ReadOnlySpan<byte> source) => new(
        (JournalKind)BinaryPrimitives.ReadInt32LittleEndian(source),
        BinaryPrimitives.ReadInt32LittleEndian(source[4..]),
        BinaryPrimitives.ReadUInt64LittleEndian(source[8..]),
        BinaryPrimitives.ReadUInt64LittleEndian(source[16..]),
        BinaryPrimitives.ReadUInt64LittleEndian(source[24..]));
}
