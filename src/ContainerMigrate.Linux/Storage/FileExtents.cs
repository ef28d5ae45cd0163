using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Storage;

/// <summary>Where a file has data, by SEEK_DATA and SEEK_HOLE; one piece of data where the file system cannot tell.</summary>
internal struct FileExtents
{
    // Asking costs two calls a file, so a small one is asked only when it takes less room than it has content.
    private const ulong AlwaysAskSize = 1 << 20;
    private readonly int _descriptor;
    private bool _mayHaveHoles;

    /// <param name="file">Open for reading.</param>
    /// <param name="status">Read before; the size in it bounds all answers, however the file changes.</param>
    public FileExtents(Descriptor file, in FileStatus status)
    {
        _descriptor = file.Value;
        Size = (long)status.Size;
        _mayHaveHoles = MayHaveHoles(status);
    }

    public long Size { get; }

    public static bool MayHaveHoles(in FileStatus status) => status.Size >= AlwaysAskSize || status.AllocatedBytes < status.Size;

    /// <summary>The first piece of data at or behind <paramref name="position"/>; both ends are <see cref="Size"/> when there is none.</summary>
    public void Find(long position, out long start, out long end)
    {
        start = Seek(position, FileCalls.SeekData);
        if (!_mayHaveHoles)
        {
            (start, end) = (position, Size);
            return;
        }

        // A piece is never empty, even when its content is taken away between the two calls.
        end = start < Size ? Math.Max(Seek(start, FileCalls.SeekHole), start + 1) : Size;
    }

    private long Seek(long position, int whence)
    {
        if (!_mayHaveHoles)
        {
            return Size;
        }

        var found = FileCalls.Seek(_descriptor, position, whence);
        if (found >= 0)
        {
            return Math.Min(found, Size);
        }

        // ENXIO: nothing but a hole up to the end, wherever that is by now. Else (EINVAL) the file system does not know.
        _mayHaveHoles = Marshal.GetLastPInvokeError() == ErrorCode.NoDeviceOrAddress && _mayHaveHoles;
        return Size;
    }
}
