using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Memory;

/// <summary>One line of <c>/proc/PID/maps</c>.</summary>
/// <param name="Range">Its addresses.</param>
/// <param name="Kind">What it is.</param>
/// <param name="IsWritable">At this moment.</param>
/// <param name="Offset">In the file or object.</param>
/// <param name="Inode">Of the file or object; 0 for none.</param>
/// <param name="HasName">Shared memory that can be reached without being inherited: by descriptor (memfd_create(2)) or by key (shmget(2)).</param>
internal readonly record struct Mapping(AddressRange Range, MappingKind Kind, bool IsWritable, ulong Offset, ulong Inode, bool HasName);
