namespace ContainerMigrate.Memory;

/// <summary>
/// What a container that was restored here lacks of its memory, since the source has kept it. Takes pages as they come, by several streams
/// at a time; a page that is here already stays as it is.
/// </summary>
public interface IMissingMemory : IPageSink, IDisposable
{
    /// <summary>What the source had kept at the switchover.</summary>
    long TotalBytes { get; }

    /// <summary>What of it has not arrived.</summary>
    long MissingBytes { get; }

    /// <summary>Completes when no process needs anything any more: all is in place, or they have ended.</summary>
    Task NotNeeded { get; }

    /// <summary>Pages to ask for that nobody waits for, in order; empty when all are here.</summary>
    /// <param name="maxPages">Of all requests together.</param>
    /// <param name="maxRequests">No more than these.</param>
    IReadOnlyList<PageRequest> FindRest(int maxPages, int maxRequests);

    /// <summary>Waits for processes that wait for pages.</summary>
    /// <param name="maxPages">Of one request: the page that is waited for, and those after it.</param>
    /// <param name="maxRequests">No more than these.</param>
    /// <returns>Not empty.</returns>
    Task<IReadOnlyList<PageRequest>> WaitForFaultsAsync(int maxPages, int maxRequests, CancellationToken cancellationToken);
}
