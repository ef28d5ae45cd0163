using ContainerMigrate.Linux.Memory.SoftDirty;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Memory;

/// <summary>The first means of tracking that works on this host.</summary>
/// <param name="processes">Starts the process of a trial.</param>
/// <param name="only">One of <see cref="MemoryTrackers"/>, to try no other; null: the one that is proven, <see cref="MemoryTrackers.WriteProtect"/>.</param>
public sealed class MemoryTracker(IProcessRunner processes, string? only = null) : IMemoryTracker
{
    private readonly (string Name, IMemoryTracker Tracker)[] _trackers =
        [.. new (string Name, IMemoryTracker Tracker)[]
        {
            (MemoryTrackers.WriteProtect, new WriteProtectTracker(processes)),
            (MemoryTrackers.SoftDirty, new SoftDirtyTracker(processes)),
        }.Where(t => t.Name == (only ?? MemoryTrackers.WriteProtect))];

    /// <inheritdoc/>
    public async Task<MemoryTrackerAvailability> GetAvailabilityAsync(CancellationToken cancellationToken) => (await ChooseAsync(cancellationToken)).Availability;

    /// <inheritdoc/>
    public async Task<IMemoryTracking> StartAsync(string cgroupDirectory, CancellationToken cancellationToken)
    {
        var (tracker, availability) = await ChooseAsync(cancellationToken);
        return tracker is null ? throw new MigrationException("memory", availability.Reason) : await tracker.StartAsync(cgroupDirectory, cancellationToken);
    }

    private async Task<(IMemoryTracker? Tracker, MemoryTrackerAvailability Availability)> ChooseAsync(CancellationToken cancellationToken)
    {
        List<string> reasons = [];
        foreach (var (_, tracker) in _trackers)
        {
            var availability = await tracker.GetAvailabilityAsync(cancellationToken);
            if (availability.Available)
            {
                return (tracker, availability with { Reason = string.Join("; ", reasons) });
            }

            reasons.Add(availability.Reason);
        }

        return (null, MemoryTrackerAvailability.No(string.Join("; ", reasons)));
    }
}
