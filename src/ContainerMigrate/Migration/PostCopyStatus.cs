using ContainerMigrate.Api;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Migration;

/// <summary>Says how a post-copy stands, in the same words on both hosts.</summary>
internal static class PostCopyStatus
{
    /// <param name="peer">The other host.</param>
    public static MigrationStatus With(MigrationStatus status, MemoryArrival arrival, string peer)
    {
        var arrived = arrival.TotalBytes - arrival.MissingBytes;
        return status with
        {
            PostCopy = arrival,
            Activity = arrival.Lost is { } lost ? $"post-copy lost: {lost}"
                : arrival.Paused is { } paused ? $"post-copy paused: {paused}"
                : arrival.IsComplete ? $"all of its memory is on {status.Destination}"
                : $"post-copy: runs on {status.Destination}, fetching its memory from {status.Source}",
            TotalBytes = arrival.TotalBytes,
            SentBytes = arrived,
            BytesPerSecond = arrival.Paused is null && arrival.Milliseconds > 0 ? Math.Round(1000 * arrived / arrival.Milliseconds) : 0,
            DestinationState = arrival.Paused is null ? "running" : "paused",
            SourceState = "frozen",
            Failure = arrival.Lost is null && arrival.Paused is null ? null : Failure(status, arrival, peer),
        };
    }

    private static MigrationFailure Failure(MigrationStatus status, MemoryArrival arrival, string peer) =>
        arrival.Lost is { } lost
            ? new MigrationFailure(status.Destination, "post-copy", $"part of the memory of {status.Container} is lost, it cannot go on: {lost}", $"remove it on {status.Destination} and start it afresh; what is left on {status.Source} goes by itself then")
            : new MigrationFailure(status.Destination, "post-copy", $"paused, the container stands still: {arrival.Paused}",
                $"it goes on by itself when {status.Destination} and {status.Source} reach each other again; if {status.Source} never comes back the container is lost: remove it on {status.Destination} and start it afresh");
}
