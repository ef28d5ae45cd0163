using System.Runtime.InteropServices;

namespace ContainerMigrate.Memory;

/// <summary>Whole pages from <see cref="Start"/> up to, not including, <see cref="End"/>: of an address space, or of a shared object's offsets.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct AddressRange : IComparable<AddressRange>
{
    /// <exception cref="ArgumentOutOfRangeException">Not page-aligned, or empty.</exception>
    public AddressRange(ulong start, ulong end)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual((start | end) % MemoryPage.Bytes, 0UL);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(end, start);
        Start = start;
        End = end;
    }

    public ulong Start { get; }

    public ulong End { get; }

    public ulong Bytes => End - Start;

    public long PageCount => (long)(Bytes / MemoryPage.Bytes);

    public bool Contains(ulong address) => address >= Start && address < End;

    public static bool operator <(AddressRange left, AddressRange right) => left.CompareTo(right) < 0;

    public static bool operator >(AddressRange left, AddressRange right) => left.CompareTo(right) > 0;

    public static bool operator <=(AddressRange left, AddressRange right) => left.CompareTo(right) <= 0;

    public static bool operator >=(AddressRange left, AddressRange right) => left.CompareTo(right) >= 0;

    public int CompareTo(AddressRange other) => Start != other.Start ? Start.CompareTo(other.Start) : End.CompareTo(other.End);

    /// <inheritdoc/>
    public override string ToString() => $"{Start:x}-{End:x}";
}
