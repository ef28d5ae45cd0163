namespace ContainerMigrate.HostTests.Lab;

/// <summary>What happens to a migration of the soak test.</summary>
public enum SoakFault
{
    None,

    /// <summary>kill -9 of a daemon, and a new one later.</summary>
    KillSourceDaemon,
    KillDestinationDaemon,

    /// <summary>kill -9 on the destination: what restores. CRIU that dumps is left alone, since killing it may legitimately cost a connection (ARCHITECTURE.md).</summary>
    KillRestoringCriu,
    KillRestoringRunc,
    KillGateHook,

    /// <summary>Nothing gets through between the daemons, for a time.</summary>
    CutLink,

    /// <summary>The destination's state directory has no room left, for a time.</summary>
    FillDestinationDisk,

    /// <summary>`ctmigrate cancel`.</summary>
    Cancel,
}
