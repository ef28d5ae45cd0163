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

    /// <summary>Readies a dump of everything but private anonymous memory, while the container runs.</summary>
    /// <param name="container">The running container.</param>
    /// <param name="directory">As for <see cref="DumpAsync"/>.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>To be disposed of before the container thaws.</returns>
    /// <exception cref="Migration.MigrationException">It cannot be done here.</exception>
    Task<IMetadataDump> PrepareMetadataDumpAsync(SourceContainer container, string directory, CancellationToken cancellationToken);

    /// <summary>Ends what a daemon that died had readied, and waits for a dump that it left under way.</summary>
    /// <param name="directory">As for <see cref="DumpAsync"/>.</param>
    Task LetGoAsync(string directory);

    /// <summary>Makes a frozen container whole again after a dump that may have been killed half way; harmless after one that was not.</summary>
    /// <param name="cgroupDirectory">The container's cgroup; success when it is gone.</param>
    /// <param name="directory">As for <see cref="DumpAsync"/>. What is there is let go (<see cref="LetGoAsync"/>).</param>
    Task UndoAsync(string cgroupDirectory, string directory);
}
