namespace ContainerMigrate.Memory;

/// <summary>Names of the means by which written pages are found.</summary>
public static class MemoryTrackers
{
    /// <summary>userfaultfd's asynchronous write protection and PAGEMAP_SCAN (Linux 6.7): nothing stands still between rounds.</summary>
    public const string WriteProtect = "wp-async";

    /// <summary>Soft-dirty bits (CONFIG_MEM_SOFT_DIRTY): the container is frozen for a moment in each round.</summary>
    public const string SoftDirty = "soft-dirty";
}
