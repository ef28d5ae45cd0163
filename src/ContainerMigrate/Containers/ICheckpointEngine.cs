namespace ContainerMigrate.Containers;

/// <summary>Takes a process tree into image files.</summary>
public interface ICheckpointEngine
{
    /// <summary>
    /// Dumps a frozen container and leaves it frozen and whole.
    /// </summary>
    /// <param name="container">The frozen container.</param>
    /// <param name="imagesDirectory">Existing, empty directory that receives the image files.</param>
    /// <param name="workDirectory">Existing directory for logs.</param>
    /// <param name="cancellationToken">Stops CRIU; the container stays frozen and whole.</param>
    /// <exception cref="Migration.MigrationException">CRIU refused; the cause is the root line of its log.</exception>
    Task DumpAsync(SourceContainer container, string imagesDirectory, string workDirectory, CancellationToken cancellationToken);
}
