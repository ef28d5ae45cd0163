namespace ContainerMigrate.Daemon.Logging;

internal static class MigrationLogScope
{
    /// <summary>Name of the property that holds the id of the migration a line belongs to.</summary>
    public const string PropertyName = "MigrationId";

    /// <summary>Puts the migration's id on every line logged until the scope is disposed, by whatever logger, in everything awaited within.</summary>
    public static IDisposable? BeginMigration(this ILogger logger, string migrationId) =>
        logger.BeginScope(new KeyValuePair<string, object?>[] { new(PropertyName, migrationId) });
}
