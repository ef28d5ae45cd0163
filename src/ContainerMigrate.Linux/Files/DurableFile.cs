using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Files;

/// <summary>File operations whose result survives a power cut once they return.</summary>
public static partial class DurableFile
{
    private const int OpenDirectory = 0x10000; // O_DIRECTORY, asm-generic/fcntl.h
    private const int CloseOnExec = 0x80000; // O_CLOEXEC

    /// <summary>Makes names in a directory durable: fsync on the directory itself.</summary>
    /// <exception cref="IOException">The directory cannot be opened or synced.</exception>
    public static void SyncDirectory(string path)
    {
        var descriptor = open(path, OpenDirectory | CloseOnExec);
        if (descriptor < 0)
        {
            throw Failed("open", path);
        }

        using var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        if (fsync(descriptor) != 0)
        {
            throw Failed("fsync", path);
        }
    }

    /// <summary>Writes a small file so that after a crash it is either the old or the new one, never half of it.</summary>
    public static void Replace(string path, ReadOnlySpan<byte> content, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite)
    {
        Replace(path, content, mode, durably: true);
        SyncDirectory(Path.GetDirectoryName(path)!);
    }

    /// <summary>The same without waiting for the disk (some milliseconds): for what nobody reads after a crash of the host.</summary>
    /// <exception cref="IOException">The old content stands.</exception>
    public static void ReplaceInMemory(string path, ReadOnlySpan<byte> content, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite) =>
        Replace(path, content, mode, durably: false);

    /// <summary>Creates a symbolic link if there is none: symlink(2) is atomic, so of several claimants exactly one wins.</summary>
    /// <returns>False when the name exists.</returns>
    public static bool TryCreateLink(string target, string path)
    {
        if (symlink(target, path) == 0)
        {
            return true;
        }

        const int Exists = 17; // EEXIST
        return Marshal.GetLastPInvokeError() == Exists ? false : throw Failed("symlink", path);
    }

    /// <summary>Makes a named pipe that only its owner may use, replacing an old one.</summary>
    public static void CreateFifo(string path)
    {
        File.Delete(path);
        const uint OwnerOnly = 0x180; // 0600
        if (mkfifo(path, OwnerOnly) != 0)
        {
            throw Failed("mkfifo", path);
        }
    }

    private static void Replace(string path, ReadOnlySpan<byte> content, UnixFileMode mode, bool durably)
    {
        var temporary = path + ".new";
        using (var handle = File.OpenHandle(temporary, FileMode.Create, FileAccess.Write, FileShare.None, FileOptions.None))
        {
            File.SetUnixFileMode(handle, mode);
            RandomAccess.Write(handle, content, 0);
            if (durably)
            {
                RandomAccess.FlushToDisk(handle);
            }
        }

        File.Move(temporary, path, overwrite: true);
    }

    private static IOException Failed(string call, string path) =>
        new($"{call} {path}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");

#pragma warning disable SA1300, IDE1006 // libc's own names
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(int descriptor);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int symlink(string target, string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mkfifo(string path, uint mode);
#pragma warning restore SA1300, IDE1006
}
