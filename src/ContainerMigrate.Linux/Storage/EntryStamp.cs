using System.Runtime.InteropServices;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// What tells whether an entry is what it was: the kernel sets the change time at every write, truncate, chmod, chown, setxattr, link and
/// rename of the entry itself, and no program can set it.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct EntryStamp
{
    public EntryStamp(in FileStatus status)
    {
        Inode = status.Inode;
        Size = status.Size;
        Changed = Nanoseconds(status.ChangeTime.Value);
        Modified = Nanoseconds(status.ModificationTime.Value);
        Born = Nanoseconds(status.BirthTime.Value);
        Links = status.Links;
        User = status.UserId;
        Group = status.GroupId;
        Mode = status.Mode;
        IsMountRoot = status.IsMountRoot;
    }

    private EntryStamp(uint type) => Mode = (ushort)type;

    public ulong Inode { get; }

    public ulong Size { get; }

    /// <summary>Nanoseconds since 1970, like all times here.</summary>
    public long Changed { get; }

    public long Modified { get; }

    /// <summary>Tells an inode number that was given anew; 0 where the file system does not keep it.</summary>
    public long Born { get; }

    public uint Links { get; }

    public uint User { get; }

    public uint Group { get; }

    public ushort Mode { get; }

    public bool IsMountRoot { get; }

    public bool IsDirectory => (Mode & TreeAttributes.TypeMask) == TreeAttributes.Directory;

    public bool IsFile => (Mode & TreeAttributes.TypeMask) == TreeAttributes.RegularFile;

    /// <summary>A file or node that other names may lead to.</summary>
    public bool HasLinks => Links > 1 && !IsDirectory;

    /// <summary>The entry itself, whatever has become of it.</summary>
    public (ulong Inode, long Born) Identity => (Inode, Born);

    /// <summary>Of something of which nothing else is known.</summary>
    /// <param name="type">One of <see cref="TreeAttributes"/>.</param>
    public static EntryStamp OfKind(uint type) => new(type);

    // Wraps around after 584 years, which no two times of one entry are apart.
    private static long Nanoseconds(FileTime time) => unchecked((time.Seconds * 1_000_000_000) + time.Nanoseconds);
}
