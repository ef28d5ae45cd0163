namespace ContainerMigrate.Storage;

/// <summary>How much of a log file has been sent, and of which file: a rotation begins another.</summary>
/// <param name="FileId">Inode number; 0 before anything was sent.</param>
/// <param name="Offset">Bytes from the file's start.</param>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
public readonly record struct LogPosition(ulong FileId, long Offset)
{
    public static LogPosition Start => default;
}

/// <summary>Carries a file that is only ever appended to, in pieces.</summary>
public interface ILogCopier
{
    /// <summary>Writes what <paramref name="file"/> has beyond <paramref name="from"/>, or all of it when it is another file by now.</summary>
    /// <returns>How far it got.</returns>
    Task<LogPosition> SendAsync(string file, LogPosition from, Stream destination, CancellationToken cancellationToken);

    /// <summary>Appends a piece that <see cref="SendAsync"/> wrote, or begins the file anew with it.</summary>
    /// <returns>Bytes of the piece.</returns>
    /// <exception cref="InvalidDataException">The piece does not follow what is there, is larger than <paramref name="maxBytes"/>, or ends early.</exception>
    Task<long> ReceiveAsync(string file, Stream source, long maxBytes, CancellationToken cancellationToken);
}
