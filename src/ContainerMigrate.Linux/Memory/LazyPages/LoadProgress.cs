namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>How far loading some pages came.</summary>
internal enum LoadProgress
{
    Done,

    /// <summary>The address space is being changed: an event has to be read first.</summary>
    Blocked,

    /// <summary>The container has no memory left for them.</summary>
    NoMemory,

    /// <summary>The address space is gone.</summary>
    Gone,
}
