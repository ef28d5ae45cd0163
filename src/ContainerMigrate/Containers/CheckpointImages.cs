namespace ContainerMigrate.Containers;

/// <summary>Where a migration keeps CRIU's image files, on either host.</summary>
public static class CheckpointImages
{
    /// <summary>Holds image files and nothing else.</summary>
    /// <param name="migrationDirectory">The migration's own directory.</param>
    public static string DirectoryIn(string migrationDirectory) => Path.Combine(migrationDirectory, "images");

    /// <summary>Source: page files that have been sent, apart from what still has to be.</summary>
    /// <param name="migrationDirectory">The migration's own directory.</param>
    public static string SentPagesIn(string migrationDirectory) => Path.Combine(migrationDirectory, "pages");

    /// <summary>Source: which memory has stayed behind, and whose it is.</summary>
    /// <param name="migrationDirectory">The migration's own directory.</param>
    public static string LeftBehindIn(string migrationDirectory) => Path.Combine(migrationDirectory, "left");

    /// <summary>What is sent to try the connection; there only meanwhile.</summary>
    /// <param name="migrationDirectory">The migration's own directory.</param>
    public static string ProbeIn(string migrationDirectory) => Path.Combine(migrationDirectory, "probe");

    /// <summary>Deletes a migration's images, which are as large as the container's memory; its logs stay.</summary>
    public static void Delete(string migrationDirectory)
    {
        foreach (var directory in (ReadOnlySpan<string>)[DirectoryIn(migrationDirectory), SentPagesIn(migrationDirectory), LeftBehindIn(migrationDirectory), ProbeIn(migrationDirectory)])
        {
            try
            {
                Directory.Delete(directory, recursive: true);
            }
            catch (DirectoryNotFoundException)
            {
                // There is none, or somebody else removes it just now.
            }
        }
    }
}
