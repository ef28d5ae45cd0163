namespace ContainerMigrate.Containers;

/// <summary>Takes a process tree into image files.</summary>
public interface ICheckpointEngine
{
    /// <summary>
    /// Dumps a frozen container and leaves it frozen and whole.
    /// </summary>
    /// <param name="container">The frozen container.</param>
    /// <param name="directory">The migration's own directory; images go to its <see cref="CheckpointImages.DirectoryIn"/>, which exists and is empty.</param>
    /// <param name="cancellationToken">Thrown for once the dump has ended: CRIU is not stopped half way, the container would not be whole.</param>
    /// <exception cref="Migration.MigrationException">CRIU refused; the cause is the root line of its log.</exception>
    Task DumpAsync(SourceContainer container, string directory, CancellationToken cancellationToken);

    /// <summary>
    /// Dumps everything but anonymous private memory: pagemaps say which pages there are, without their content (CRIU's lazy pages).
    /// </summary>
    /// <param name="container">The frozen container.</param>
    /// <param name="directory">As for <see cref="DumpAsync"/>.</param>
    /// <param name="cancellationToken">As for <see cref="DumpAsync"/>.</param>
    /// <exception cref="Migration.MigrationException">CRIU refused; the cause is the root line of its log.</exception>
    Task DumpMetadataAsync(SourceContainer container, string directory, CancellationToken cancellationToken);

    /// <summary>Makes a frozen container whole again after a dump that may have been killed half way; harmless after one that was not.</summary>
    /// <param name="cgroupDirectory">The container's cgroup; success when it is gone.</param>
    /// <param name="directory">As for <see cref="DumpAsync"/>. A dump that a daemon left under way when it died is waited for.</param>
    Task UndoAsync(string cgroupDirectory, string directory);
}
