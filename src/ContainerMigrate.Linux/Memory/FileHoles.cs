using System.Runtime.InteropServices;
using ContainerMigrate.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>Gives the space of parts of a file back (fallocate(2)).</summary>
internal static partial class FileHoles
{
    private const int PunchKeepingSize = 0x02 | 0x01; // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE

    /// <summary>What is read there from now on is zeros.</summary>
    /// <exception cref="IOException">The file system cannot do it: ext4, XFS, btrfs and tmpfs can.</exception>
    internal static void Punch(SafeFileHandle file, long offset, long length)
    {
        int result;
        while ((result = Allocate(file, PunchKeepingSize, offset, length)) != 0 && Errno.Last == Errno.Interrupted)
        {
        }

        if (result != 0)
        {
            throw Errno.Exception("making a hole in the store's file", Errno.Last);
        }
    }

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int Allocate(SafeFileHandle file, int mode, long offset, long length);
}
