namespace ContainerMigrate.Storage;

/// <summary>What a copy amounted to.</summary>
/// <param name="Entries">Files, directories, links and nodes.</param>
/// <param name="ContentBytes">File content sent (holes left out).</param>
public sealed record CopyTotals(long Entries, long ContentBytes);

/// <summary>
/// Moves a directory tree as one stream: ownership, modes, times, xattrs, ACLs and capabilities, hard links, sparse files,
/// symlinks, sockets, fifos, device nodes and overlay whiteouts arrive as they were.
/// </summary>
public interface IDirectoryCopier
{
    /// <summary>Bytes and entries of the tree, read once; files that go away meanwhile are left out.</summary>
    Task<CopyTotals> MeasureAsync(string directory, CancellationToken cancellationToken);

    /// <summary>Writes the tree and an explicit end with a digest of all that was sent.</summary>
    /// <param name="directory">Root of the tree; may change meanwhile: what vanishes is left out, what is half written arrives so.</param>
    /// <param name="destination">Gets everything up to the stream's own end and is flushed, not closed.</param>
    /// <param name="progress">Content bytes so far, comparable with <see cref="MeasureAsync"/>; called from another thread.</param>
    /// <param name="cancellationToken">Leaves the stream cut off.</param>
    /// <exception cref="IOException">Something cannot be read (named), or the stream cannot be written.</exception>
    Task<CopyTotals> SendAsync(string directory, Stream destination, IProgress<long>? progress, CancellationToken cancellationToken);

    /// <summary>
    /// Unpacks beneath an existing directory and nowhere else (openat2 RESOLVE_BENEATH), whatever the stream says; verifies end and digest.
    /// </summary>
    /// <param name="directory">Existing directory; its own attributes are set too. What is in it stays: a name that is there already is refused.</param>
    /// <param name="source">What <see cref="SendAsync"/> wrote; hostile until checked. Nothing beyond its end is read.</param>
    /// <param name="maxBytes">Content beyond this is refused.</param>
    /// <param name="cancellationToken">Leaves a partial tree, which the caller removes.</param>
    /// <exception cref="InvalidDataException">The stream lies, ends early or its digest differs.</exception>
    /// <exception cref="IOException">This host could not write; <see cref="Exception.HResult"/> is errno (28: no space left).</exception>
    Task<CopyTotals> ReceiveAsync(string directory, Stream source, long maxBytes, CancellationToken cancellationToken);

    /// <summary>Takes changes to a tree that was received before, or a whole tree. Like <see cref="ReceiveAsync"/>, but that it replaces what it is told to.</summary>
    /// <param name="directory">What <see cref="IFollowedTree.SendAsync"/> has brought so far, and nothing else.</param>
    /// <param name="source">The next of these streams.</param>
    /// <param name="maxBytes">Content beyond this is refused.</param>
    /// <param name="cancellationToken">Leaves a partial tree, which the caller removes.</param>
    /// <exception cref="InvalidDataException">The stream lies, ends early or its digest differs, or changes what is not there.</exception>
    /// <exception cref="IOException">This host could not write; <see cref="Exception.HResult"/> is errno (28: no space left).</exception>
    Task<CopyTotals> ReceiveChangesAsync(string directory, Stream source, long maxBytes, CancellationToken cancellationToken);

    /// <summary>
    /// Makes what was received durable (syncfs): has to be done before the source's copy is destroyed. Writes back all that is dirty on the
    /// file system, so it does not belong into the pause.
    /// </summary>
    /// <exception cref="IOException">The disk reported an error.</exception>
    Task SyncAsync(string directory, CancellationToken cancellationToken);
}
