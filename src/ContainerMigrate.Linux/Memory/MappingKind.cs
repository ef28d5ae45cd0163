namespace ContainerMigrate.Linux.Memory;

/// <summary>What a mapping is to a migration.</summary>
internal enum MappingKind
{
    /// <summary>Not memory of the program: the kernel's own pages, devices, shared mappings of files.</summary>
    Other,

    /// <summary>Private, with nothing behind it.</summary>
    Anonymous,

    /// <summary>Private, of a file: what the program has written is its own.</summary>
    PrivateFile,

    /// <summary>An object on the kernel's internal tmpfs: shared anonymous memory, System V, memfd.</summary>
    Shared,
}
