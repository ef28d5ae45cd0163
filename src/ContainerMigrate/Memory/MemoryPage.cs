namespace ContainerMigrate.Memory;

/// <summary>The unit in which memory is tracked, read and sent; that of x86-64, and the one CRIU's images count in.</summary>
public static class MemoryPage
{
    /// <summary>Bytes of a page.</summary>
    public const int Bytes = 4096;
}
