namespace ContainerMigrate.Memory;

/// <summary>Finds out which pages a container's processes write while they run.</summary>
public interface IMemoryTracker
{
    /// <summary>Whether this host can; tries it, so it takes some milliseconds and also warms up what the container will be stopped for.</summary>
    Task<MemoryTrackerAvailability> GetAvailabilityAsync(CancellationToken cancellationToken);

    /// <summary>Begins to track the processes of a cgroup and those beneath it. Nothing is stopped before the first scan.</summary>
    /// <exception cref="Migration.MigrationException">Not available here; says why.</exception>
    Task<IMemoryTracking> StartAsync(string cgroupDirectory, CancellationToken cancellationToken);
}
