namespace ContainerMigrate.Memory;

/// <summary>Where the pages of processes come from.</summary>
public interface IPageSource
{
    /// <summary>Reads consecutive pages. Blocks: called on a thread that may.</summary>
    /// <param name="processId">In the container's own pid namespace, as CRIU names its images.</param>
    /// <param name="address">Of the first page.</param>
    /// <param name="destination">Whole pages.</param>
    /// <returns>
    /// How many whole pages there were from the first on; fewer than asked for where the next one is not there (any more), 0 when the
    /// first is not. The caller sends what came and reports the page after it as <see cref="IPageSink.Drop"/>.
    /// </returns>
    int Read(int processId, ulong address, Span<byte> destination);
}
