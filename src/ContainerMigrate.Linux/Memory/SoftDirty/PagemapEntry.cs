namespace ContainerMigrate.Linux.Memory.SoftDirty;

/// <summary>One entry of <c>/proc/PID/pagemap</c> (Documentation/admin-guide/mm/pagemap.rst).</summary>
internal static class PagemapEntry
{
    internal const int Bytes = sizeof(ulong);
    internal const ulong Present = 1UL << 63;
    internal const ulong Swapped = 1UL << 62; // or on its way from one place in memory to another
    internal const ulong OfFile = 1UL << 61; // or shared anonymous
    internal const ulong SoftDirty = 1UL << 55;
    internal const ulong Frame = (1UL << 55) - 1; // where it is: the number of its page frame, or its place in the swap

    // Not used by the kernel: of which kind of mapping we took it to be.
    private const ulong TakenForFile = 1UL << 60;

    /// <summary>
    /// What tells the page from any other, so that another one in its place is noticed; 0 for no page of the process's own.
    /// </summary>
    /// <param name="entry">As read.</param>
    /// <param name="kind">Of the mapping, as it was taken to be.</param>
    /// <param name="zeroFrame">The kernel's page of zeros, which is nobody's content.</param>
    internal static ulong Identify(ulong entry, MappingKind kind, ulong zeroFrame)
    {
        var isThere = (entry & (Present | Swapped)) != 0 && (entry & (Present | Frame)) != (Present | zeroFrame);
        return !isThere ? 0
            : kind != MappingKind.PrivateFile ? entry & (Present | Swapped | Frame)
            : (entry & OfFile) != 0 ? 0
            : (entry & (Present | Swapped | Frame)) | TakenForFile;
    }

    /// <summary>Whether there is nothing in any of the pages. The bit alone says that the mapping is new.</summary>
    internal static bool AreEmpty(ReadOnlySpan<ulong> entries) => entries.IndexOfAnyExcept(0UL, SoftDirty) < 0;
}
