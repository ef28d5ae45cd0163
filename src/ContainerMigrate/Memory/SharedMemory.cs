namespace ContainerMigrate.Memory;

/// <summary>
/// A piece of memory that processes share: anonymous (MAP_SHARED), System V, or a memfd. CRIU dumps it once, by its inode.
/// Relied on can be: <see cref="Written"/> of a scan never lacks a page that was written before it. What that costs differs. Writes are seen in the
/// page tables of processes that live and are tracked; a write(2) to a memfd, a process that came or went since the previous scan, a mapping
/// removed since, are not seen there, and then <see cref="IsComplete"/> is set and all data of the object is reported.
/// Not seen at all are processes outside of the container that have it mapped.
/// Files of a tmpfs and mapped files of other file systems are no such objects: they move with the files.
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
