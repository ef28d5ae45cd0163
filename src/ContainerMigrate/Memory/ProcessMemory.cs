namespace ContainerMigrate.Memory;

/// <summary>
/// What a scan found of one process. Pages are reported that CRIU would dump: present or swapped out, not the kernel's zero page, and of
/// private file mappings only those that the process has made its own by writing.
/// A page reported earlier and unmapped since is not taken back; which pages exist in the end is what CRIU's pagemap says.
/// </summary>
public sealed record ProcessMemory
{
    public required ContainerProcessId Process { get; init; }

    /// <summary>
    /// This memory is seen for the first time: a new process, or one that has replaced its program (exec). All that exists is reported, and
    /// what was kept of a process with these numbers before is void.
    /// </summary>
    public required bool IsNew { get; init; }

    /// <summary>Pages of anonymous private memory, written since the previous scan; these CRIU's metadata dump leaves out (unless they are locked).</summary>
    public required PageSet Written { get; init; }

    /// <summary>Pages of private file mappings that are the process's own, written since the previous scan. CRIU's metadata dump carries them itself.</summary>
    public required PageSet WrittenOfFiles { get; init; }

    /// <summary>
    /// Null: tracked. Else why not, and every scan reports all pages of the process.
    /// </summary>
    public string? NotTracked { get; init; }

    /// <summary>Another process that has the very same memory (CLONE_VM, vfork): its pages are reported there and not here.</summary>
    public ContainerProcessId? SharesMemoryOf { get; init; }

    /// <summary>For how long the process was stopped in this scan.</summary>
    public TimeSpan Stopped { get; init; }
}
