using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>struct uffd_msg of linux/userfaultfd.h.</summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
internal readonly struct UserfaultEvent
{
    internal const int Bytes = 32;

    [FieldOffset(0)]
    internal readonly UserfaultEventKind Kind;

    /// <summary>Fork: the userfaultfd of the child's address space.</summary>
    [FieldOffset(8)]
    internal readonly int ChildDescriptor;

    /// <summary>Remap: the old address. Remove, unmap: the first address.</summary>
    [FieldOffset(8)]
    internal readonly ulong From;

    /// <summary>Page fault: the address. Remap: the new address. Remove, unmap: the first address behind.</summary>
    [FieldOffset(16)]
    internal readonly ulong To;

    /// <summary>Remap: bytes.</summary>
    [FieldOffset(24)]
    internal readonly ulong Length;
}
