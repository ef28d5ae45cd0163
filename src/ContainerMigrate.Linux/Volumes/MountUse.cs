using ContainerMigrate.Containers;

namespace ContainerMigrate.Linux.Volumes;

/// <summary>Whether somebody else's mount stands against a directory's leaving.</summary>
internal static class MountUse
{
    /// <summary>Paths of the container's mounts that a mount of another container has too.</summary>
    /// <param name="directory">Behind the other's mount.</param>
    /// <param name="isWritten">Whether the other may write there.</param>
    public static IEnumerable<string> FindConflicts(SourceContainer container, string directory, bool isWritten) =>
        container.Manifest.Mounts
            .Where(m => container.MountDirectories.TryGetValue(m.Target, out var mine) && Conflicts(mine, directory, isWritten && m.Kind == "bind"))
            .Select(m => m.Target);

    // The same place or one within it; and one around it that is written to. Who has all of Docker's volumes looks after them, and is no user of any.
    private static bool Conflicts(string directory, string other, bool writesAround)
    {
        var (mine, theirs) = (directory.TrimEnd('/') + "/", other.TrimEnd('/') + "/");
        return other.Length > 0 && (theirs.StartsWith(mine, StringComparison.Ordinal) || (writesAround && mine.StartsWith(theirs, StringComparison.Ordinal)));
    }
}
