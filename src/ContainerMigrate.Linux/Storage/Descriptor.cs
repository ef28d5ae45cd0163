using System.Runtime.InteropServices;
using System.Text;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// A file descriptor closed by its scope. A plain number because a copy opens hundreds of thousands: owned by exactly
/// one place, never shared between threads.
/// </summary>
/// <param name="value">0 or above, or -1 for none.</param>
internal readonly struct Descriptor(int value) : IDisposable, IEquatable<Descriptor>
{
    public static Descriptor None => new(-1);

    public int Value { get; } = value;

    public bool IsOpen => Value >= 0;

    /// <summary>Opens a directory by path, following symlinks: for the root, which the caller chose.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static unsafe Descriptor OpenRoot(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        fixed (byte* bytes = Encoding.UTF8.GetBytes(path + '\0'))
        {
            var flags = FileCalls.ReadOnly | FileCalls.DirectoryOnly | FileCalls.CloseOnExec;
            var descriptor = FileCalls.OpenAt(FileCalls.CurrentDirectory, bytes, flags | FileCalls.NoAccessTime, 0);
            if (descriptor < 0 && Marshal.GetLastPInvokeError() == ErrorCode.NotPermitted)
            {
                descriptor = FileCalls.OpenAt(FileCalls.CurrentDirectory, bytes, flags, 0);
            }

            return descriptor >= 0 ? new(descriptor) : throw FileError.Last("open", path);
        }
    }

    /// <summary>A handle for an entry that opens nothing: neither a fifo waits nor a device acts.</summary>
    /// <returns><see cref="None"/>, with errno left, when it cannot be had.</returns>
    public static unsafe Descriptor OpenPath(int directory, ReadOnlySpan<byte> name)
    {
        var path = new TerminatedName(name);
        return new(FileCalls.OpenAt(directory, (byte*)&path, FileCalls.PathOnly | FileCalls.NoFollow | FileCalls.CloseOnExec, 0));
    }

    /// <summary>Opens for reading the very file that an <see cref="OpenPath"/> handle stands for, after its type was seen.</summary>
    /// <returns><see cref="None"/>, with errno left, when it cannot be had.</returns>
    public unsafe Descriptor OpenContent()
    {
        const int Flags = FileCalls.ReadOnly | FileCalls.NonBlocking | FileCalls.CloseOnExec;
        var path = TerminatedName.OfDescriptor(Value);
        var descriptor = FileCalls.OpenAt(FileCalls.CurrentDirectory, (byte*)&path, Flags | FileCalls.NoAccessTime, 0);
        return descriptor < 0 && Marshal.GetLastPInvokeError() == ErrorCode.NotPermitted
            ? new(FileCalls.OpenAt(FileCalls.CurrentDirectory, (byte*)&path, Flags, 0))
            : new(descriptor);
    }

    /// <exception cref="IOException">The file system does not answer.</exception>
    public unsafe FileStatus GetStatus(string what = "an entry just opened")
    {
        FileStatus status;
        var empty = (byte)0;
        return FileCalls.Statx(Value, &empty, FileCalls.EmptyPath, FileCalls.StatisticsMask, &status) == 0
            ? status
            : throw FileError.Last("stat", what);
    }

    public void Dispose()
    {
        if (IsOpen)
        {
            _ = FileCalls.Close(Value);
        }
    }

    public bool Equals(Descriptor other) => Value == other.Value;

    public override bool Equals(object? obj) => obj is Descriptor other && Equals(other);

    public override int GetHashCode() => Value;
}
