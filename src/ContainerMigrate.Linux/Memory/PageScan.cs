using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Linux.Memory.SoftDirty;
using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>PAGEMAP_SCAN (Documentation/admin-guide/mm/pagemap.rst, linux/fs.h): finds pages of an address space by what they are.</summary>
internal static unsafe class PageScan
{
    internal const ulong Trackable = 1 << 0; // PAGE_IS_WPALLOWED: of a mapping that is registered with WP_ASYNC
    internal const ulong Written = 1 << 1; // PAGE_IS_WRITTEN
    internal const ulong OfFile = 1 << 2; // PAGE_IS_FILE
    internal const ulong Present = 1 << 3; // PAGE_IS_PRESENT
    internal const ulong Swapped = 1 << 4; // PAGE_IS_SWAPPED
    internal const ulong Zero = 1 << 5; // PAGE_IS_PFNZERO
    internal const ulong Guard = 1 << 8; // PAGE_IS_GUARD, 6.15: madvise(MADV_GUARD_INSTALL), cannot be read

    private const ulong Request = 0xC0606610; // PAGEMAP_SCAN
    private const ulong ProtectMatching = 1; // PM_SCAN_WP_MATCHING
    private const int ArgumentWords = 12;
    private const int RegionWords = 3; // struct page_region: start, end, categories
    private const int RegionCount = 1024;

    // The kernel keeps mmap(2) and munmap(2) of the program waiting until a call returns: 3 ms for so many pages that it protects.
    private const ulong MaxPages = 65536;

    // And this much of memory in which there is nothing to protect.
    private const ulong MaxProtectBytes = 4UL << 30;

    /// <summary>Whether this kernel tells <see cref="Guard"/>; asked for it, an older one refuses the whole request.</summary>
    internal static bool KnowsGuards { get; } = AskFor(Guard);

    /// <summary>Whether this kernel has it at all.</summary>
    internal static bool IsAvailable { get; } = AskFor(Present);

    /// <summary>Pages without content, in anonymous memory.</summary>
    internal static ulong Empty { get; } = Zero | (KnowsGuards ? Guard : 0);

    /// <summary>Pages without content of the process's own, anywhere. Telling those of files makes the kernel look at each page: five times as long.</summary>
    internal static ulong Foreign { get; } = Empty | OfFile;

    /// <summary>Adds the pages that are all of <paramref name="all"/>, none of <paramref name="none"/>, and one of <paramref name="any"/> (0: whatever).</summary>
    /// <param name="pagemap">An open <c>/proc/PID/pagemap</c>.</param>
    /// <param name="range">Where to look; mappings that are not registered are passed over when <paramref name="protect"/> is set.</param>
    /// <param name="all">Categories.</param>
    /// <param name="none">Categories.</param>
    /// <param name="any">Categories.</param>
    /// <param name="protect">Takes <see cref="Written"/> away from what is found, in the same step.</param>
    /// <param name="found">Gets the ranges as they come: also those before a failure.</param>
    /// <exception cref="IOException">The address space is gone.</exception>
    internal static void Find(SafeFileHandle pagemap, AddressRange range, ulong all, ulong none, ulong any, bool protect, PageSet found) =>
        Find(pagemap, range, (all, none, any), protect, found, null);

    /// <summary>Adds the pages that exist and are none of <paramref name="none"/>, guard pages apart from the others, in one go.</summary>
    /// <param name="pagemap">As for <see cref="Find(SafeFileHandle, AddressRange, ulong, ulong, ulong, bool, PageSet)"/>.</param>
    /// <param name="range">Where to look.</param>
    /// <param name="none">Categories, without <see cref="Guard"/>.</param>
    /// <param name="found">Gets the pages.</param>
    /// <param name="guards">Gets the guard pages.</param>
    internal static void FindExisting(SafeFileHandle pagemap, AddressRange range, ulong none, PageSet found, PageSet guards)
    {
        if (IsAvailable)
        {
            Find(pagemap, range, (0, none, Present | Swapped), protect: false, found, KnowsGuards ? guards : null);
            return;
        }

        Pagemap.FindExisting(pagemap, range, withFiles: (none & OfFile) == 0, found); // such a kernel has no guard pages
    }

    private static void Find(SafeFileHandle pagemap, AddressRange range, (ulong All, ulong None, ulong Any) categories, bool protect, PageSet found, PageSet? guards)
    {
        var (all, none, any) = categories;
        var regions = stackalloc ulong[RegionCount * RegionWords];
        var argument = stackalloc ulong[ArgumentWords];
        for (var start = range.Start; start < range.End; start = argument[4])
        {
            var end = protect ? Math.Min(range.End, start + MaxProtectBytes) : range.End;

            // struct pm_scan_arg: size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask, category_anyof_mask, return_mask
            ReadOnlySpan<ulong> values =
            [
                ArgumentWords * sizeof(ulong), protect ? ProtectMatching : 0, start, end, 0, (ulong)regions, RegionCount, any != 0 || protect ? MaxPages : 0, // holes count as pages, too
                none, all | none, any, guards is null ? all : Guard,
            ];
            values.CopyTo(new Span<ulong>(argument, ArgumentWords));
            var count = Libc.Control(pagemap, Request, argument);
            if (count < 0)
            {
                throw Errno.Exception("PAGEMAP_SCAN", Errno.Last);
            }

            for (var i = 0; i < count; i++)
            {
                var region = new AddressRange(regions[i * RegionWords], regions[(i * RegionWords) + 1]);
                (guards is not null && (regions[(i * RegionWords) + 2] & Guard) != 0 ? guards : found).Add(region);
            }
        }
    }

    private static bool AskFor(ulong category)
    {
        using var pagemap = File.OpenHandle("/proc/self/pagemap", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var argument = stackalloc ulong[] { ArgumentWords * sizeof(ulong), 0, 0, 0, 0, 0, 0, 0, 0, category, 0, category };
        return Libc.Control(pagemap, Request, argument) >= 0;
    }
}
