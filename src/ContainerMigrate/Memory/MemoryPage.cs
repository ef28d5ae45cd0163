namespace ContainerMigrate.Memory;

/// <summary>The page of x86-64, and of arm64 as it is configured everywhere that CRIU runs. CRIU's images count in it.</summary>
public static class MemoryPage
{
    public const int Shift = 12;

    public const int Bytes = 1 << Shift;

    /// <summary>Addresses of user space end below this, with five levels of page tables too (2^56 on x86-64, 2^52 on arm64).</summary>
    public const ulong AddressLimit = 1UL << 56;

    /// <summary>The page that an address lies in.</summary>
    public static ulong Align(ulong address) => address & ~((ulong)Bytes - 1);
}
