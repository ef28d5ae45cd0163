namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>What happened to an address space.</summary>
internal enum JournalKind
{
    /// <summary>CRIU has restored a process; A: its pid in the images.</summary>
    Restored = 1,

    /// <summary>It was forked; A: number of the child's address space.</summary>
    Forked = 2,

    /// <summary>A mapping was moved; A: from, B: to, C: bytes.</summary>
    Moved = 3,

    /// <summary>Pages were given back or unmapped; A: address, B: end.</summary>
    Removed = 4,

    /// <summary>Everything of a slab has been loaded; A: the slab's address in the images.</summary>
    Loaded = 5,

    /// <summary>All address spaces are registered: pages may be loaded in the background.</summary>
    Begun = 6,
}
