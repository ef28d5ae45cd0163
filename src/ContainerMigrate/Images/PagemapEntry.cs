using System.Runtime.InteropServices;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Images;

/// <summary>Consecutive pages that are treated alike.</summary>
/// <param name="Range">In the process's address space; in the segment, counted from 0, for shared memory.</param>
/// <param name="Flags">Where the pages are.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct PagemapEntry(PageRange Range, PagemapMarks Flags)
{
    public bool IsPresent => Flags.HasFlag(PagemapMarks.Present);

    public bool IsLazy => Flags.HasFlag(PagemapMarks.Lazy);

    public bool IsInParent => Flags.HasFlag(PagemapMarks.Parent);

    /// <summary>Left out of a metadata-only dump: the restore has to get it from somewhere else.</summary>
    public bool IsLeftOut => IsLazy && !IsPresent && !IsInParent;
}
