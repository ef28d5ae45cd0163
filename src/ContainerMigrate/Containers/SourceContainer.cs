namespace ContainerMigrate.Containers;

/// <summary>A running container on this host, with what only this host needs to know about it.</summary>
public sealed record SourceContainer
{
    public required ContainerReference Reference { get; init; }

    public required ContainerManifest Manifest { get; init; }

    /// <summary>Process id of the container's init in the host's pid namespace.</summary>
    public required int InitPid { get; init; }

    /// <summary>Absolute path of the container's cgroup v2 directory, <c>/sys/fs/cgroup/docker/ID</c>.</summary>
    public required string CgroupDirectory { get; init; }

    /// <summary>Overlay's upper directory, or the root file system of a runc bundle.</summary>
    public required string WritableLayerDirectory { get; init; }

    /// <summary>Host directories behind the container's mounts, by the mounts' paths in the container.</summary>
    public IReadOnlyDictionary<string, string> MountDirectories { get; init; } = new Dictionary<string, string>();

    /// <summary>File in which the runtime keeps what the container has written; null when there is none that can be carried on elsewhere.</summary>
    public string? LogFile { get; init; }

    /// <summary>
    /// Command by which the runtime looks after the container's health from time to time; empty for none. Such a process does not have to
    /// move: the destination's runtime starts its own.
    /// </summary>
    public IReadOnlyList<string> ProbeCommand { get; init; } = [];

    /// <summary>runc's <c>--root</c> for this container.</summary>
    public required string RuncRoot { get; init; }

    /// <summary>Path of the container's network namespace that stays valid while it lives.</summary>
    public string NetworkNamespacePath => $"/proc/{InitPid}/ns/net";
}
