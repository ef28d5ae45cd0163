namespace ContainerMigrate.Memory;

/// <summary>
/// Reads a process's memory from outside, running or frozen, without stopping it. May be used by several threads, and while a scan is under way.
/// </summary>
public interface IProcessMemoryReader
{
    /// <summary>
    /// Reads ranges one after the other into a buffer. A page that does not exist (any more) is left out of nothing: its place in the buffer is zeroed and
    /// it is added to <paramref name="unreadable"/>, so positions stay those of the ranges.
    /// </summary>
    /// <param name="hostProcessId">A process of the last scan; when it is unknown or has ended every page is unreadable.</param>
    /// <param name="ranges">Many small ones are fine.</param>
    /// <param name="destination">At least as long as all ranges together.</param>
    /// <param name="unreadable">Gets what could not be read; not cleared before.</param>
    /// <returns>Bytes of all ranges.</returns>
    int Read(int hostProcessId, ReadOnlySpan<AddressRange> ranges, Span<byte> destination, PageSet unreadable);

    /// <summary>The same for a shared object, by offsets.</summary>
    int Read(SharedMemoryId sharedMemory, ReadOnlySpan<AddressRange> ranges, Span<byte> destination, PageSet unreadable);
}
