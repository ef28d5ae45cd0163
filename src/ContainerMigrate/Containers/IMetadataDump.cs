namespace ContainerMigrate.Containers;

/// <summary>A dump of everything but private anonymous memory, readied while the container runs; disposing it lets go of what was readied.</summary>
public interface IMetadataDump : IAsyncDisposable
{
    /// <summary>Dumps; once, when the container is frozen. Pagemaps say which pages there are, without the content of those left out (CRIU's lazy pages).</summary>
    /// <param name="cancellationToken">As for <see cref="ICheckpointEngine.DumpAsync"/>.</param>
    /// <exception cref="Migration.MigrationException">CRIU refused; the cause is the root line of its log.</exception>
    Task RunAsync(CancellationToken cancellationToken);
}
