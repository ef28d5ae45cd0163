namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>UFFD_EVENT_* of linux/userfaultfd.h.</summary>
internal enum UserfaultEventKind : byte
{
    PageFault = 0x12,
    Fork = 0x13,
    Remap = 0x14,
    Remove = 0x15,
    Unmap = 0x16,
}
