using System.Runtime.InteropServices;

namespace ContainerMigrate.Storage;

/// <summary>What inode(7) keeps about every entry and a copy has to keep too.</summary>
/// <param name="Mode">File type (S_IFMT) and permissions with setuid, setgid and sticky bit.</param>
/// <param name="UserId">Owner; 0xFFFFFFFF is none (chown(2) would leave the owner alone).</param>
/// <param name="GroupId">Group; 0xFFFFFFFF is none.</param>
/// <param name="AccessTime">Last access.</param>
/// <param name="ModificationTime">Last change of the content.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct TreeAttributes(uint Mode, uint UserId, uint GroupId, FileTime AccessTime, FileTime ModificationTime)
{
    /// <summary>S_IFMT of sys/stat.h.</summary>
    public const uint TypeMask = 0xF000;

    /// <summary>Permissions, setuid, setgid, sticky.</summary>
    public const uint PermissionMask = 0xFFF;

    public const uint Fifo = 0x1000;
    public const uint CharacterDevice = 0x2000;
    public const uint Directory = 0x4000;
    public const uint BlockDevice = 0x6000;
    public const uint RegularFile = 0x8000;
    public const uint SymbolicLink = 0xA000;
    public const uint Socket = 0xC000;

    /// <summary>The S_IFMT part of <see cref="Mode"/>.</summary>
    public uint Type => Mode & TypeMask;

    /// <summary>The part of <see cref="Mode"/> that chmod(2) takes.</summary>
    public uint Permissions => Mode & PermissionMask;
}
