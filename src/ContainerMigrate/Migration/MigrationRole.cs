namespace ContainerMigrate.Migration;

/// <summary>This host's part in a migration.</summary>
public enum MigrationRole
{
    Source,
    Destination,
}
