namespace ContainerMigrate.Containers;

/// <summary>Stops all processes of a cgroup (v2 <c>cgroup.freeze</c>); it holds without any process of ours.</summary>
public interface ICgroupFreezer
{
    /// <summary>Freezes and waits until the kernel says <c>frozen 1</c>. Idempotent.</summary>
    /// <exception cref="Migration.MigrationException">Not frozen within the time.</exception>
    Task FreezeAsync(string cgroupDirectory, TimeSpan timeout, CancellationToken cancellationToken);

    /// <summary>
    /// Asks for the same and does not wait: a process that waits in a system call for a page of its memory cannot be stopped before it has it, and
    /// stands still all the same. Success when the cgroup is gone.
    /// </summary>
    void Request(string cgroupDirectory);

    /// <summary>Lets them run again; success when the cgroup is gone.</summary>
    Task ThawAsync(string cgroupDirectory, CancellationToken cancellationToken);

    /// <summary>True when there are processes, and all of them stand still.</summary>
    bool IsFrozen(string cgroupDirectory);

    /// <summary>Removes what a runtime that died has left of a removed container's cgroup. Nothing while there are processes in it.</summary>
    void RemoveEmpty(string cgroupDirectory);
}
