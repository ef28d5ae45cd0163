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
    Task<CopyTotals> SendAsync(string directory, Stream destination, IProgress<long>? progress, CancellationToken cancellationToken);

    /// <summary>
    /// Unpacks beneath an existing directory and nowhere else (openat2 RESOLVE_BENEATH), whatever the stream says; verifies end and digest.
    /// </summary>
    /// <param name="directory">Existing directory; its own attributes are set too.</param>
    /// <param name="source">What <see cref="SendAsync"/> wrote; hostile until checked.</param>
    /// <param name="maxBytes">Content beyond this is refused.</param>
    /// <param name="cancellationToken">Leaves a partial tree, which the caller removes.</param>
    /// <exception cref="InvalidDataException">The stream lies, ends early or its digest differs.</exception>
    Task<CopyTotals> ReceiveAsync(string directory, Stream source, long maxBytes, CancellationToken cancellationToken);
}
