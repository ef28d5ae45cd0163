namespace ContainerMigrate.Memory;

/// <summary>What one scan of a container found. The caller owns the page sets.</summary>
public sealed record MemoryScan
{
    public required IReadOnlyList<ProcessMemory> Processes { get; init; }

    /// <summary>Memory shared between processes, each object once, by offset instead of address.</summary>
    public required IReadOnlyList<SharedMemory> Shared { get; init; }

    /// <summary>Processes of the previous scan that have ended or left the cgroup: what was kept of them can go.</summary>
    public required IReadOnlyList<ContainerProcessId> Ended { get; init; }

    /// <summary>For how long processes of the container were stopped in this scan, added up.</summary>
    public TimeSpan Stopped { get; init; }

    /// <summary>The longest of those stops.</summary>
    public TimeSpan LongestStop { get; init; }

    public long PageCount => Processes.Sum(p => p.Written.PageCount + p.WrittenOfFiles.PageCount) + Shared.Sum(s => s.Written.PageCount);
}
