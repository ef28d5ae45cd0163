namespace ContainerMigrate.Memory;

/// <summary>
/// One container's memory under tracking. Disposing it leaves no trace in the container: tracking descriptors closed, write protection
/// lifted, nothing traced; so does the end of this process, however it comes. Not in the pause: it takes 15 to 30 ms for each GiB. One call at a time.
/// </summary>
public interface IMemoryTracking : IAsyncDisposable
{
    /// <summary>Reads what a scan found. Lives as long as this, and reads the memory that the last scan saw: that of a program replaced meanwhile by exec is unreadable.</summary>
    IProcessMemoryReader Reader { get; }

    /// <summary>
    /// Set by whoever has frozen the container, for as long as it stays so: scans then freeze nothing, and thaw nothing. Its cgroup does not tell: while CRIU holds the
    /// processes by ptrace(2) it thaws it (freeze_processes in criu/seize.c).
    /// </summary>
    bool IsFrozen { get; set; }

    /// <summary>
    /// Finds the pages written since the previous scan, and protects them again in the same step: a write is in this scan or in the next.
    /// Processes that have appeared are attached, each stopped once for a fraction of a millisecond; with soft-dirty all are frozen for some milliseconds instead. Works on a
    /// frozen cgroup too; a process seen there for the first time is not attached, and all of its pages are reported.
    /// A scan that fails or is cancelled loses nothing: what it had found is in the next one.
    /// Not seen are writes of devices: a page that a direct read (O_DIRECT) fills after the scan, asked for before it, looks unwritten.
    /// </summary>
    /// <exception cref="Migration.MigrationException">The cgroup is gone.</exception>
    Task<MemoryScan> ScanAsync(CancellationToken cancellationToken);
}
