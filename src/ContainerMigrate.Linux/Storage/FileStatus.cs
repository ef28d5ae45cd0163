using System.Runtime.InteropServices;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>struct statx of linux/stat.h: the same on every architecture, unlike struct stat.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct FileStatus
{
    private const ulong MountRootFlag = 0x2000; // STATX_ATTR_MOUNT_ROOT, Linux 5.8

    [FieldOffset(8)]
    public ulong AttributeFlags;

    [FieldOffset(16)]
    public uint Links;

    [FieldOffset(20)]
    public uint UserId;

    [FieldOffset(24)]
    public uint GroupId;

    [FieldOffset(28)]
    public ushort Mode;

    [FieldOffset(32)]
    public ulong Inode;

    [FieldOffset(40)]
    public ulong Size;

    /// <summary>Allocated, in units of 512 bytes.</summary>
    [FieldOffset(48)]
    public ulong Blocks;

    [FieldOffset(64)]
    public Time AccessTime;

    [FieldOffset(80)]
    public Time BirthTime;

    [FieldOffset(96)]
    public Time ChangeTime;

    [FieldOffset(112)]
    public Time ModificationTime;

    [FieldOffset(128)]
    public uint SpecialMajor;

    [FieldOffset(132)]
    public uint SpecialMinor;

    [FieldOffset(136)]
    public uint DeviceMajor;

    [FieldOffset(140)]
    public uint DeviceMinor;

    /// <summary>Only where it was asked for.</summary>
    [FieldOffset(144)]
    public ulong MountId;

    /// <summary>The S_IFMT part of the mode.</summary>
    public readonly uint Type => Mode & TreeAttributes.TypeMask;

    /// <summary>True when another file system (or a bind mount) lies over this name.</summary>
    public readonly bool IsMountRoot => (AttributeFlags & MountRootFlag) != 0;

    public readonly ulong AllocatedBytes => Blocks * 512;

    public readonly ulong Device => ((ulong)DeviceMajor << 32) | DeviceMinor;

    public readonly TreeAttributes Attributes => new(Mode, UserId, GroupId, AccessTime.Value, ModificationTime.Value);

    /// <summary>struct statx_timestamp.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal readonly struct Time
    {
        private readonly long _seconds;
        private readonly uint _nanoseconds;
        private readonly int _reserved;

        public FileTime Value => new(_seconds, _nanoseconds);
    }
}
