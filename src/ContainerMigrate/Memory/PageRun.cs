using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace ContainerMigrate.Memory;

/// <summary>One row of a frame's table in <see cref="PageStreamFormat"/>.</summary>
/// <param name="ProcessId">In the container's own pid namespace.</param>
/// <param name="Range">At most 2^30 - 1 pages.</param>
/// <param name="Kind">What of them.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct PageRun(int ProcessId, PageRange Range, PageRunKind Kind)
{
    internal const int Bytes = 16;
    internal const ulong MaxPages = (1 << KindShift) - 1;
    private const int KindShift = 30;

    internal void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(destination, Range.Address);
        BinaryPrimitives.WriteInt32LittleEndian(destination[8..], ProcessId);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[12..], (uint)Range.PageCount | ((uint)Kind << KindShift));
    }

    /// <exception cref="InvalidDataException">No process has such pages.</exception>
    internal static PageRun Read(ReadOnlySpan<byte> source)
    {
        var count = BinaryPrimitives.ReadUInt32LittleEndian(source[12..]);
        var run = new PageRun(
            BinaryPrimitives.ReadInt32LittleEndian(source[8..]),
            new PageRange(BinaryPrimitives.ReadUInt64LittleEndian(source), count & (uint)MaxPages),
            (PageRunKind)(count >> KindShift));
        return run.ProcessId > 0 && run.Range.IsValid && run.Kind <= PageRunKind.Missing
            ? run
            : throw new InvalidDataException($"page stream: {run.Range.PageCount} pages at {run.Range.Address:x} of process {run.ProcessId} cannot be");
    }
}
