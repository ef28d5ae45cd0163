namespace ContainerMigrate.Memory;

/// <summary>
/// A piece of memory that processes share: anonymous (MAP_SHARED), System V, or a memfd. CRIU dumps it once, by its inode, and leaves none of it out of
/// its dump.
/// Relied on can be that <see cref="Written"/> never lacks a page that was written before the scan by a process of the container. What that costs differs:
/// writes are seen in the page tables of processes that live and are tracked. Where one was born or ended since the previous scan, or a mapping came or
/// went, and always for memfd and System V, writes may have gone unseen, and then all data of the object is reported and
/// <see cref="IsComplete"/> is set. So it is where the kernel's process events are not to be had (a daemon in a network namespace of its own).
/// Not seen at all are processes outside of the container that write to it. Shared huge pages, files of a tmpfs and mapped files of other file systems
/// are no such objects.
/// </summary>
public sealed record SharedMemory
{
    public required SharedMemoryId Id { get; init; }

    /// <summary>Offsets in the object, not addresses. Holes are never reported.</summary>
    public required PageSet Written { get; init; }

    /// <summary>All of the object's data is reported, because it is new or because writes may have gone unseen.</summary>
    public required bool IsComplete { get; init; }

    /// <summary>Bytes of the object.</summary>
    public required long Length { get; init; }
}
