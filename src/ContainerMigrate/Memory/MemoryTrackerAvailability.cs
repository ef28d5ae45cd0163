namespace ContainerMigrate.Memory;

/// <summary>Whether written pages can be tracked on this host.</summary>
/// <param name="Available">Found out by trying it.</param>
/// <param name="Reason">Why not, or why not by better means, in words for an operator; empty when there is nothing to say.</param>
public sealed record MemoryTrackerAvailability(bool Available, string Reason)
{
    /// <summary>One of <see cref="MemoryTrackers"/>; empty when none is available.</summary>
    public string Tracker { get; init; } = "";

    public static MemoryTrackerAvailability Yes(string tracker) => new(true, "") { Tracker = tracker };

    public static MemoryTrackerAvailability No(string reason) => new(false, reason);
}
