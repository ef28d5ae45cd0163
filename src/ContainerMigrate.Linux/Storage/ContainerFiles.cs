using System.Text;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Finds the inode in a container's tree that stands behind what a process of it has open. Where the container sees the tree as it is, that is the
/// same inode; where it sees an overlay, of which the tree is the upper directory, its path there is the path in the tree.
/// </summary>
internal sealed class ContainerFiles
{
    private const int Attempts = 3;
    private readonly DirectoryCursor _tree;
    private readonly ulong _treeDevice;
    private readonly FileStatus _root;
    private readonly bool _isMounted;

    /// <param name="tree">At its root.</param>
    /// <param name="initPid">A process that has the container's root.</param>
    /// <param name="mountPoint">Where the tree is mounted in the container; null for the root's own files.</param>
    public ContainerFiles(DirectoryCursor tree, int initPid, string? mountPoint = null)
    {
        _tree = tree;
        _treeDevice = tree.Root.GetStatus().Device;
        _isMounted = mountPoint is not null;
        _ = TryGetStatus($"/proc/{initPid}/root{mountPoint}", 0, out _root);
    }

    /// <summary>Whether a descriptor or mapping, given as its link in /proc, may be written to.</summary>
    public static bool IsWritable(string link)
    {
        const ushort OwnerMayWrite = 0x80;
        return TryGetStatus(link, FileCalls.SymlinkNoFollow, out var status) && (status.Mode & OwnerMayWrite) != 0;
    }

    /// <summary>The inode's number in the tree; 0 for what is not in it, null when that cannot be told.</summary>
    /// <param name="link">A magic link of /proc.</param>
    public ulong? Find(string link)
    {
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            if (!TryGetStatus(link, 0, out var status) || status.Type != TreeAttributes.RegularFile || status.Links == 0)
            {
                return 0; // closed, not a file, or deleted
            }

            if (status.Device == _treeDevice)
            {
                return status.Inode;
            }

            if (_isMounted)
            {
                // Of its mount and not of its device: another subvolume, or another layer of an overlay.
                return status.MountId == _root.MountId ? null : 0;
            }

            if (status.Device != _root.Device && status.MountId != _root.MountId)
            {
                return 0;
            }

            // The same overlay seen through another mount has other paths. A name that is just being changed can be read again.
            if (status.MountId == _root.MountId && FindByPath(link) is { } inode)
            {
                return inode;
            }
        }

        return null;
    }

    private unsafe ulong? FindByPath(string link)
    {
        const int MaxLength = 4096; // PATH_MAX
        const ulong Resolve = FileCalls.ResolveBeneath | FileCalls.ResolveNoSymlinks | FileCalls.ResolveNoMagicLinks | FileCalls.ResolveNoCrossing;
        var path = stackalloc byte[MaxLength + 1];
        nint length;
        fixed (byte* name = Encoding.ASCII.GetBytes(link + '\0'))
        {
            length = FileCalls.ReadLink(FileCalls.CurrentDirectory, name, path, MaxLength);
        }

        if (length < 2 || length == MaxLength)
        {
            return null;
        }

        path[length] = 0;
        using var found = new Descriptor(FileCalls.OpenBeneath(
            _tree.Root.Value, path + 1, FileCalls.PathOnly | FileCalls.NoFollow | FileCalls.CloseOnExec, 0, Resolve)); // without its slash
        return found.IsOpen ? found.GetStatus().Inode : null;
    }

    // What only a server knows (FUSE, NFS) is not asked for: it may be frozen itself.
    private static unsafe bool TryGetStatus(string path, int flags, out FileStatus status)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        fixed (FileStatus* result = &status)
        {
            return FileCalls.Statx(FileCalls.CurrentDirectory, name, flags | FileCalls.DoNotSync, FileCalls.StatisticsMask | FileCalls.MountIdMask, result) == 0;
        }
    }
}
