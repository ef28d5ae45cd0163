namespace ContainerMigrate.Volumes;

/// <summary>What the destination has where a mount's files would go.</summary>
public sealed record MountFacts
{
    /// <summary>Of the mount, inside the container.</summary>
    public required string Target { get; init; }

    public PlaceKind Kind { get; init; }

    /// <summary>Host directory; empty for a volume that is not there.</summary>
    public string Directory { get; init => field = value ?? ""; } = "";

    /// <summary>False where this host's configuration does not let arriving containers use that place.</summary>
    public bool IsAllowed { get; init; }

    /// <summary>Whether the source's token is seen; null when it has left none.</summary>
    public bool? SeesToken { get; init; }

    /// <summary>It has the source's fingerprint.</summary>
    public bool IsIdentical { get; init; }

    /// <summary>Anything else that is in the way, in words; empty for nothing.</summary>
    public string Obstacle { get; init => field = value ?? ""; } = "";

    public string FileSystem { get; init => field = value ?? ""; } = "";

    public long FreeBytes { get; init; }

    public long FreeEntries { get; init; }

    /// <summary>What the file system there does not take.</summary>
    public FileSystemLimits Limits { get; init => field = value ?? FileSystemLimits.None; } = FileSystemLimits.None;
}
