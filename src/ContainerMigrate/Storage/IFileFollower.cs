using ContainerMigrate.Containers;

namespace ContainerMigrate.Storage;

/// <summary>Sends a running container's files ahead, and then again and again what has changed.</summary>
public interface IFileFollower
{
    /// <summary>Begins to follow a container's writable layer, or what is mounted into it; nothing has been sent of it.</summary>
    /// <param name="mount">One that has files; null for the layer.</param>
    IFollowedTree Follow(SourceContainer container, MountDescription? mount);
}

/// <summary>
/// A tree of which the destination has an earlier state. Calls come in pairs: <see cref="ScanAsync"/>, then <see cref="SendAsync"/>, unless nothing has changed;
/// after a call that failed it must not be used any more.
/// </summary>
public interface IFollowedTree
{
    /// <summary>
    /// Null when it can be sent ahead. Else why not: the file system is not known to give every change a new time. All of it is then sent by the last round.
    /// </summary>
    Task<string?> FindObstacleAsync(CancellationToken cancellationToken);

    /// <summary>Builds on what the destination has kept of an earlier attempt, before the first scan. Content counts as sent where its digest is right, everything else is sent.</summary>
    /// <param name="listing">What <see cref="IKeptTrees.DescribeAsync"/> wrote; hostile until checked.</param>
    /// <exception cref="InvalidDataException">It is malformed or too large.</exception>
    Task TakeKeptAsync(Stream listing, CancellationToken cancellationToken);

    /// <summary>Looks for what has changed since the scan before; costs some milliseconds for 1000 entries.</summary>
    /// <param name="isLast">True when the container is frozen: nothing is left to a later round.</param>
    /// <param name="cancellationToken">Leaves it unusable.</param>
    /// <exception cref="IOException">Something cannot be read (named).</exception>
    Task<TreeChanges> ScanAsync(bool isLast, CancellationToken cancellationToken);

    /// <summary>Writes what the last scan has found, as a stream for <see cref="IDirectoryCopier.ReceiveChangesAsync"/>.</summary>
    /// <param name="destination">Gets everything up to the stream's own end and is flushed, not closed.</param>
    /// <param name="progress">Content bytes so far; called from another thread.</param>
    /// <param name="cancellationToken">Leaves the stream cut off, and this unusable.</param>
    /// <exception cref="IOException">Something cannot be read (named), or the stream cannot be written.</exception>
    Task<CopyTotals> SendAsync(Stream destination, IProgress<long>? progress, CancellationToken cancellationToken);
}

/// <summary>What a look at a tree has found.</summary>
/// <param name="Scanned">Entries that there are.</param>
/// <param name="Entries">New, changed and gone ones.</param>
/// <param name="Bytes">Content of those that are new or changed; less may have to be sent.</param>
/// <param name="HasChanged">False when there is nothing to send.</param>
public sealed record TreeChanges(long Scanned, long Entries, long Bytes, bool HasChanged);
