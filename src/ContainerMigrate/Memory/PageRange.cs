using System.Runtime.InteropServices;

namespace ContainerMigrate.Memory;

/// <summary>Consecutive pages of one process.</summary>
/// <param name="Address">Of the first one, aligned to a page.</param>
/// <param name="PageCount">At least 1.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct PageRange(ulong Address, ulong PageCount)
{
    /// <summary>The first address behind it.</summary>
    public ulong End => Address + (PageCount << MemoryPage.Shift);

    public ulong Bytes => PageCount << MemoryPage.Shift;

    /// <summary>Whether it is aligned, not empty and within what a process can have; for what a peer said.</summary>
    public bool IsValid =>
        (Address & (MemoryPage.Bytes - 1)) == 0 && Address < MemoryPage.AddressLimit
        && PageCount > 0 && PageCount <= (MemoryPage.AddressLimit - Address) >> MemoryPage.Shift;
}
