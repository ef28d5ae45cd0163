namespace ContainerMigrate.Containers;

/// <summary>The processor time that a container's cgroup (v2, <c>cpu.max</c>) may take.</summary>
public interface ICpuLimiter
{
    /// <summary>Why a container's processor time cannot be limited on this host; null when it can.</summary>
    string? FindObstacle(string cgroupDirectory);

    /// <exception cref="Migration.MigrationException">It cannot be read.</exception>
    CpuLimit Read(string cgroupDirectory);

    /// <summary>Takes effect at once; success when the cgroup is gone.</summary>
    /// <exception cref="Migration.MigrationException">It cannot be written.</exception>
    void Apply(string cgroupDirectory, CpuLimit limit);

    /// <summary>Processor time that the container has taken since it was started, of all processors together.</summary>
    /// <exception cref="Migration.MigrationException">It cannot be read.</exception>
    TimeSpan ReadUsage(string cgroupDirectory);
}
