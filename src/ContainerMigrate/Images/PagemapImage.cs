namespace ContainerMigrate.Images;

/// <summary>What a file <c>pagemap-*.img</c> says: which pages a process (or a shared memory segment) has, and where they are.</summary>
/// <param name="PagesId">The N of its page file <c>pages-N.img</c>: raw pages of the entries that are present, in their order.</param>
/// <param name="Layout">How it counts pages.</param>
/// <param name="Entries">In ascending order, not overlapping.</param>
public sealed record PagemapImage(uint PagesId, PagemapLayout Layout, IReadOnlyList<PagemapEntry> Entries)
{
    /// <summary>Name of the file with its pages.</summary>
    public string PageFileName => $"pages-{PagesId}.img";

    /// <summary>Pages with any of these marks.</summary>
    public ulong CountPages(PagemapMarks marks) =>
        Entries.Where(entry => (entry.Flags & marks) != PagemapMarks.None).Aggregate(0UL, (sum, entry) => sum + entry.Range.PageCount);
}
