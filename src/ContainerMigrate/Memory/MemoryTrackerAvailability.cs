namespace ContainerMigrate.Memory;

/// <summary>Whether written pages can be tracked on this host without stopping anything for long.</summary>
/// <param name="Available">Found out by doing it once to a process of our own.</param>
/// <param name="Reason">Why not, in words for an operator; empty when it is available.</param>
public sealed record MemoryTrackerAvailability(bool Available, string Reason)
{
    public static MemoryTrackerAvailability Yes { get; } = new(true, "");

    public static MemoryTrackerAvailability No(string reason) => new(false, reason);
}
