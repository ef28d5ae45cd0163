namespace ContainerMigrate.Memory;

/// <summary>Where pages of processes go to. What comes later counts. One call at a time, each on a thread that may block.</summary>
public interface IPageSink
{
    /// <summary>Keeps pages, in the place of what was known of them.</summary>
    /// <param name="processId">In the container's own pid namespace.</param>
    /// <param name="address">Of the first page.</param>
    /// <param name="pages">Whole pages; valid during the call.</param>
    void Write(int processId, ulong address, ReadOnlySpan<byte> pages);

    /// <summary>These pages are there, and hold zeros.</summary>
    void WriteZero(int processId, PageRange range);

    /// <summary>These pages exist, and have to be asked for.</summary>
    /// <exception cref="InvalidDataException">Nobody here would ask.</exception>
    void Miss(int processId, PageRange range) => throw new InvalidDataException("page stream: pages are announced where they are to be sent");

    /// <summary>These pages are not there any more.</summary>
    void Drop(int processId, PageRange range);
}
