namespace ContainerMigrate.HostTests.Lab;

/// <summary>Where a migration is when something happens to it.</summary>
public enum MigrationStage
{
    /// <summary>Data goes ahead, the container runs.</summary>
    PreCopy,

    /// <summary>The container is frozen, what it changed last is on the way.</summary>
    Switchover,

    /// <summary>The container runs on the destination, and fetches its memory.</summary>
    PostCopy,
}
