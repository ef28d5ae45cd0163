using System.Runtime.InteropServices;
using System.Text;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Which file systems give an entry a new change time whenever a program changes it, a first store through a mapping included. tmpfs does not; an
/// overlay does as its upper layer does, which cannot be seen from it.
/// </summary>
internal static partial class FileSystemKind
{
    // linux/magic.h
    private static readonly HashSet<long> Known =
    [
        0xEF53, // ext4
        0x58465342, // XFS
        0x9123683E, // Btrfs
        0xF2F52010, // F2FS
    ];

    /// <summary>Null for one that does; else a reason.</summary>
    public static unsafe string? FindObstacle(string directory)
    {
        var status = default(Status);
        fixed (byte* path = Encoding.UTF8.GetBytes(directory + '\0'))
        {
            if (Stat(path, &status) != 0)
            {
                return $"{directory}: {Marshal.GetLastPInvokeErrorMessage()}";
            }
        }

        return Known.Contains(status.Kind) ? null : FormattableString.Invariant($"{directory} is on a file system (0x{status.Kind:x}) that may change files without a trace");
    }

    [LibraryImport("libc", EntryPoint = "statfs", SetLastError = true)]
    private static unsafe partial int Stat(byte* path, Status* status);

    // struct statfs of a 64-bit system: 120 bytes.
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Status
    {
        [FieldOffset(0)]
        public long Kind;
    }
}
