namespace ContainerMigrate.Migration;

/// <summary>Upper bounds of a migration's steps; the daemon's configuration sets them.</summary>
public sealed record MigrationLimits
{
    /// <summary>Longest time between freeze and GO before the container thaws by itself. Default 10 s.</summary>
    public TimeSpan FreezeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Longest time for everything before the freeze. Default 10 min.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Silence after which a destination drops its reservation. Default 60 s.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Bits a second that the streams of one migration take together; null: no limit.</summary>
    public long? BandwidthBitsPerSecond { get; init; }

    /// <summary>Memory up to this is copied in the pause also when post-copy is allowed: it takes a few milliseconds, and then the container depends on nobody. Default 1 MiB.</summary>
    public long WorthLeavingBytes { get; init; } = 1 << 20;

    /// <summary>Time between two questions to a peer that does not answer. Default 1 s.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(1);
}
