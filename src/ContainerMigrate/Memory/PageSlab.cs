namespace ContainerMigrate.Memory;

/// <summary>2 MiB of a process's addresses: what is known of its pages, and where in the store they lie.</summary>
public sealed class PageSlab(ulong address, int slot)
{
    /// <summary>A power of two, so that a slab never crosses the end of a user's address space, and its bits fill whole words.</summary>
    public const int Pages = 512;

    public const int Bytes = Pages << MemoryPage.Shift;

    /// <summary>Of the first page, aligned to the slab's size.</summary>
    public ulong Address => address;

    /// <summary>Its place in the store's file, counted in slabs; a page lies in it where it lies in the slab.</summary>
    public int Slot => slot;

    /// <summary>Pages whose content is in the file.</summary>
    public PageBits Data { get; set; }

    /// <summary>Pages that are known to hold zeros, and holes in the file.</summary>
    public PageBits Zero { get; set; }

    /// <summary>Pages that exist and are with the source alone: whatever the file has of them is out of date.</summary>
    public PageBits Missing { get; set; }

    public PageBits Known => Data | Zero | Missing;

    /// <summary>Where in the file a page lies.</summary>
    public long OffsetOf(int page) => ((long)Slot * Bytes) + ((long)page << MemoryPage.Shift);

    /// <summary>The slab that an address lies in.</summary>
    public static ulong Align(ulong address) => address & ~((ulong)Bytes - 1);

    /// <summary>Which page of its slab an address lies in.</summary>
    public static int PageOf(ulong address) => (int)(address >> MemoryPage.Shift) & (Pages - 1);
}
