namespace ContainerMigrate.Containers;

/// <summary>Takes a process tree into image files.</summary>
public interface ICheckpointEngine
{
    /// <summary>
    /// Dumps a frozen container and leaves it frozen and whole.
    /// </summary>
    /// <param name="container">The frozen container.</param>
    /// <param name="directory">The migration's own directory; images and logs get directories beneath it.</param>
    /// <param name="cancellationToken">Thrown for once the dump has ended: CRIU is not stopped half way, the container would not be whole.</param>
    /// <exception cref="Migration.MigrationException">CRIU refused; the cause is the root line of its log.</exception>
    Task<CheckpointImages> DumpAsync(SourceContainer container, string directory, CancellationToken cancellationToken);

    /// <summary>Makes a frozen container whole again after a dump that may have been killed half way; harmless after one that was not.</summary>
    /// <param name="cgroupDirectory">The container's cgroup; success when it is gone.</param>
    Task UndoAsync(string cgroupDirectory);
}

/// <summary>A finished dump.</summary>
/// <param name="Directory">Holds CRIU's image files and nothing else.</param>
/// <param name="Bytes">Their size together.</param>
public sealed record CheckpointImages(string Directory, long Bytes)
{
    /// <summary>Where a migration keeps its images, on either host.</summary>
    /// <param name="migrationDirectory">The migration's own directory.</param>
    public static string DirectoryIn(string migrationDirectory) => Path.Combine(migrationDirectory, "images");

    /// <summary>Deletes a migration's images, which are as large as the container's memory; its logs stay.</summary>
    public static void Delete(string migrationDirectory)
    {
        var images = DirectoryIn(migrationDirectory);
        if (System.IO.Directory.Exists(images))
        {
            System.IO.Directory.Delete(images, recursive: true);
        }
    }
}
