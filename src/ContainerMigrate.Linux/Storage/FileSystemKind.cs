using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Which file systems give an entry a new change time whenever a program changes it, a first store through a mapping included. tmpfs does not;
/// an overlay does as its upper layer does, so that is tried.
/// </summary>
internal static partial class FileSystemKind
{
    // linux/magic.h: ext4, XFS, Btrfs, F2FS
    private static readonly HashSet<long> Known = [0xEF53, 0x58465342, 0x9123683E, 0xF2F52010];

    private const long Overlay = 0x794C7630;

    // linux/magic.h and the file systems' own headers: NFS, CIFS, SMB2, Ceph, FUSE (GlusterFS, virtiofs, SeaweedFS), 9p, GFS2, OCFS2, Lustre, BeeGFS
    private static readonly HashSet<long> Networked = [0x6969, 0xFF534D42, 0xFE534D42, 0x00C36400, 0x65735546, 0x01021997, 0x01161970, 0x7461636F, 0x0BD00BD3, 0x19830326];

    // More than a tick of the clock that times are taken from.
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    /// <summary>Null for one that does; else a reason.</summary>
    public static string? FindObstacle(string directory)
    {
        try
        {
            var kind = KindOf(directory);
            return Known.Contains(kind) || (kind == Overlay && TellsOfStores(directory))
                ? null
                : FormattableString.Invariant($"{directory} is on a file system (0x{kind:x}) that may change files without a trace");
        }
        catch (IOException e)
        {
            return e.Message;
        }
    }

    /// <summary>True for one that several hosts may have mounted at once; only asking another host tells whether they do.</summary>
    public static bool MayBeShared(string directory)
    {
        try
        {
            return Networked.Contains(KindOf(directory));
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static unsafe long KindOf(string directory)
    {
        var status = default(Status);
        fixed (byte* path = Encoding.UTF8.GetBytes(directory + '\0'))
        {
            return Stat(path, &status) == 0 ? status.Kind : throw FileError.Last("stat", directory);
        }
    }

    /// <summary>Stores into a file without a name, which leaves nothing behind.</summary>
    private static unsafe bool TellsOfStores(string directory)
    {
        const int Length = 4096;
        Descriptor descriptor;
        fixed (byte* path = Encoding.UTF8.GetBytes(directory + '\0'))
        {
            descriptor = new Descriptor(FileCalls.OpenAt(
                FileCalls.CurrentDirectory, path, FileCalls.ReadWrite | FileCalls.Unnamed | FileCalls.DirectoryOnly | FileCalls.CloseOnExec, 0x180));
        }

        if (!descriptor.IsOpen)
        {
            throw FileError.Last("try how files are changed in", directory);
        }

        using var file = new FileStream(new SafeFileHandle(descriptor.Value, ownsHandle: true), FileAccess.ReadWrite);
        file.SetLength(Length);
        using var mapping = MemoryMappedFile.CreateFromFile(file, null, Length, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: true);
        using var view = mapping.CreateViewAccessor();
        _ = view.ReadByte(0);
        var before = new EntryStamp(descriptor.GetStatus()).Changed;
        Thread.Sleep(Tick);
        view.Write(0, (byte)1);
        return new EntryStamp(descriptor.GetStatus()).Changed != before;
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
