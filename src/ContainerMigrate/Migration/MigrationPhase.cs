namespace ContainerMigrate.Migration;

/// <summary>
/// Where a migration is, on either host. The order is the order of the state table in ARCHITECTURE.md;
/// <see cref="MigrationTransitions"/> holds the only allowed steps.
/// </summary>
public enum MigrationPhase
{
    /// <summary>Both: nothing recorded yet.</summary>
    New,

    /// <summary>Source: both hosts checked; nothing touched.</summary>
    Planned,

    /// <summary>Destination: memory, disk, name and address are held under a lease.</summary>
    Reserved,

    /// <summary>Source: data goes ahead while the container runs.</summary>
    PreCopy,

    /// <summary>Destination: data arrives.</summary>
    Receiving,

    /// <summary>Source: frozen and fenced.</summary>
    Frozen,

    /// <summary>Destination: restored and held un-run.</summary>
    Prepared,

    /// <summary>Source: ownership offered; from here only the destination's answer decides.</summary>
    Go,

    /// <summary>Destination: it owns the container.</summary>
    Committed,

    /// <summary>Source: its copy is destroyed.</summary>
    Destroyed,

    /// <summary>Both: finished, the container is on the destination.</summary>
    Done,

    /// <summary>Both: given up; the container is on the source.</summary>
    Aborted,

    /// <summary>Source: GO was recorded and the destination has not answered yet; the container is frozen here.</summary>
    InDoubt,
}
