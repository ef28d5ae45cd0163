namespace ContainerMigrate.Storage;

/// <summary>
/// Carries CRIU's page files (<c>pages-N.img</c>), nearly all of a checkpoint's bytes, while CRIU still writes them: it only ever
/// appends to them.
/// </summary>
public interface IPageFileCopier
{
    /// <summary>Sends what is there and what is added until <paramref name="written"/> completes, then an explicit end.</summary>
    /// <param name="directory">Holds the image files.</param>
    /// <param name="written">The dump. A failed one ends the stream without its end.</param>
    /// <param name="destination">The stream.</param>
    /// <param name="progress">Told of bytes sent; may be null.</param>
    /// <param name="cancellationToken">Leaves the stream without its end.</param>
    Task SendAsync(string directory, Task written, Stream destination, IProgress<long>? progress, CancellationToken cancellationToken);

    /// <summary>Writes page files into an existing directory, and nothing else.</summary>
    /// <returns>Bytes written.</returns>
    /// <exception cref="InvalidDataException">The stream is not one of <see cref="SendAsync"/>, carries more than <paramref name="maxBytes"/>, or ends early.</exception>
    Task<long> ReceiveAsync(string directory, Stream source, long maxBytes, CancellationToken cancellationToken);

    /// <summary>Takes the sent files out of the image directory, so that what remains there can be sent as a whole.</summary>
    /// <param name="directory">Holds the image files.</param>
    /// <param name="aside">A directory on the same file system; made if need be.</param>
    void SetAside(string directory, string aside);
}
