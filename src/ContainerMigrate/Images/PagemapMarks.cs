namespace ContainerMigrate.Images;

/// <summary>Where the pages of a pagemap entry are: PE_* of criu/include/pagemap.h.</summary>
[Flags]
public enum PagemapMarks
{
    None = 0,

    /// <summary>PE_PARENT: in the images of the round before.</summary>
    Parent = 1,

    /// <summary>PE_LAZY: a restore may leave them to a lazy-pages server.</summary>
    Lazy = 2,

    /// <summary>PE_PRESENT: in the page file of this image.</summary>
    Present = 4,
}
