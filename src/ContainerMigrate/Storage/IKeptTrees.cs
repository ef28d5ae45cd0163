namespace ContainerMigrate.Storage;

/// <summary>
/// Files that had arrived when a migration failed, put aside for the next attempt: where neither containers nor runtimes come, for a bounded time, and only as long as
/// as much room is free beside them. Nothing of it counts as right before the source has compared it.
/// </summary>
public interface IKeptTrees
{
    /// <summary>What is kept of a container of that host; null for nothing.</summary>
    KeptSet? Find(string peer, string container);

    /// <summary>All that is kept.</summary>
    IReadOnlyList<KeptSet> ReadAll();

    /// <summary>Moves what is in some directories away. What was kept of that container before is removed. A tree that cannot be kept is left out.</summary>
    /// <param name="trees">Directories, by a name of each.</param>
    /// <returns>What is kept now; null for nothing.</returns>
    KeptSet? Keep(string peer, string container, IReadOnlyDictionary<string, string> trees);

    /// <summary>Moves what is kept of a container into directories; nothing of it is kept any more.</summary>
    /// <param name="trees">As in <see cref="Keep"/>; what is kept of others is removed.</param>
    /// <returns>Names of the trees that have got something.</returns>
    IReadOnlyList<string> Adopt(string peer, string container, IReadOnlyDictionary<string, string> trees);

    /// <summary>Removes what is too old, or takes room that is needed.</summary>
    void Sweep();

    /// <summary>Writes what is in a tree, with digests of its files' blocks, for <see cref="IFollowedTree.TakeKeptAsync"/>. Reads all content.</summary>
    /// <exception cref="IOException">Something cannot be read (named).</exception>
    Task DescribeAsync(string directory, Stream destination, CancellationToken cancellationToken);
}
