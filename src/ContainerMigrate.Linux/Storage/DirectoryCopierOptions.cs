namespace ContainerMigrate.Linux.Storage;

/// <summary>What a receiver takes from its peer. The defaults suit a container's writable layer or root file system.</summary>
public sealed record DirectoryCopierOptions
{
    /// <summary>
    /// Character and block devices. Overlay's whiteout (character device 0:0), which leads to no device, is taken in any case.
    /// False for volumes of containers that may not make nodes.
    /// </summary>
    public bool AllowDeviceNodes { get; init; } = true;

    /// <summary><c>trusted.*</c> extended attributes, overlay's among them. False for volumes.</summary>
    public bool AllowTrustedAttributes { get; init; } = true;

    /// <summary>Files, directories, links and nodes of one tree.</summary>
    public long MaxEntries { get; init; } = 100_000_000;

    /// <summary>Files with several names that a receiver keeps in mind at a time, about 150 bytes each.</summary>
    public int MaxLinkedFiles { get; init; } = 4_000_000;

    /// <summary>Names and values of all extended attributes of one tree.</summary>
    public long MaxAttributeBytes { get; init; } = 4L << 30;
}
