using System.Runtime.InteropServices;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Walks down and up a tree by directory descriptors, so that paths may be longer than PATH_MAX and no symlink is ever
/// followed below the root. Only the lowest <see cref="MaxOpen"/> levels keep a descriptor; a higher one is opened again
/// through <c>..</c> and has to be the directory it was.
/// </summary>
internal sealed class DirectoryCursor : IDisposable
{
    // Well inside systemd's default soft limit of 1024 descriptors, with room for sender and receiver in one process.
    private const int MaxOpen = 128;

    private readonly List<Level> _levels = [];
    private readonly string _rootPath;

    /// <param name="rootPath">An existing directory; symlinks on the way to it are followed.</param>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public DirectoryCursor(string rootPath)
    {
        _rootPath = rootPath;
        var root = Descriptor.OpenRoot(rootPath);
        var status = root.GetStatus(rootPath);
        _levels.Add(new Level(root, new DirectoryNode(null, []), status.Device, status.Inode));
    }

    /// <summary>Levels below the root.</summary>
    public int Depth => _levels.Count - 1;

    /// <summary>Descriptor of the directory reached, good for reading it and for the <c>*at</c> calls.</summary>
    public int Current => _levels[^1].Handle.Value;

    public DirectoryNode Node => _levels[^1].Node;

    public Descriptor Root => _levels[0].Handle;

    /// <summary>Goes into a directory of the current one.</summary>
    /// <param name="name">Without slash or terminator.</param>
    /// <param name="status">Of the directory entered.</param>
    /// <returns>0, or errno: among others ENOENT, ENOTDIR and ELOOP when it is no directory (any more), EXDEV when another file system is mounted on it.</returns>
    public int TryEnter(ReadOnlySpan<byte> name, out FileStatus status)
    {
        var opened = new Descriptor(Open(Current, name));
        if (!opened.IsOpen)
        {
            status = default;
            return Marshal.GetLastPInvokeError();
        }

        status = opened.GetStatus(Describe(name));
        _levels.Add(new Level(opened, new DirectoryNode(Node, name.ToArray()), status.Device, status.Inode));
        if (_levels.Count > MaxOpen + 1)
        {
            // Level 0 stays open: hard links and chown of the root need it.
            CollectionsMarshal.AsSpan(_levels)[_levels.Count - 1 - MaxOpen].CloseHandle();
        }

        return 0;
    }

    /// <summary>What an entry of the current directory is, without opening it.</summary>
    /// <returns>False when it is gone.</returns>
    /// <exception cref="IOException">It cannot be told.</exception>
    public unsafe bool TryGetStatus(ReadOnlySpan<byte> name, out FileStatus status)
    {
        var path = new TerminatedName(name);
        fixed (FileStatus* result = &status)
        {
            if (FileCalls.Statx(Current, (byte*)&path, FileCalls.SymlinkNoFollow, FileCalls.StatisticsMask, result) == 0)
            {
                return true;
            }
        }

        return Marshal.GetLastPInvokeError() is ErrorCode.NoEntry or ErrorCode.Stale
            ? false
            : throw FileError.Last("stat", Describe(name));
    }

    /// <summary>Goes back to the parent.</summary>
    /// <exception cref="IOException">The parent is no longer where it was: somebody moved a directory between the two.</exception>
    public unsafe void Leave()
    {
        var child = _levels[^1];
        _levels.RemoveAt(_levels.Count - 1);
        ref var parent = ref CollectionsMarshal.AsSpan(_levels)[^1];
        using (child.Handle)
        {
            if (parent.Handle.IsOpen)
            {
                return;
            }

            var up = stackalloc byte[] { (byte)'.', (byte)'.', 0 };
            var opened = new Descriptor(FileCalls.OpenAt(
                child.Handle.Value, up, FileCalls.ReadOnly | FileCalls.DirectoryOnly | FileCalls.NoFollow | FileCalls.CloseOnExec, 0));
            if (!opened.IsOpen)
            {
                throw FileError.Last("open", Describe([]));
            }

            var status = opened.GetStatus(Describe([]));
            if (status.Device != parent.Device || status.Inode != parent.Inode)
            {
                opened.Dispose();
                throw new IOException($"{Describe(child.Node.Name)}: the directory was moved while it was read");
            }

            parent = parent with { Handle = opened };
        }
    }

    /// <summary>An entry of the current directory as people read it.</summary>
    /// <param name="name">Empty for the directory itself.</param>
    public string Describe(ReadOnlySpan<byte> name)
    {
        const int MaxComponents = 8;
        var parts = new Stack<string>();
        if (!name.IsEmpty)
        {
            parts.Push(EntryName.Describe(name));
        }

        var node = Node;
        for (; node is { Parent: not null } && parts.Count < MaxComponents; node = node.Parent)
        {
            parts.Push(EntryName.Describe(node.Name));
        }

        return node.Parent is null
            ? Path.Join(_rootPath, string.Join('/', parts))
            : $"{_rootPath}/.../{string.Join('/', parts)}";
    }

    public void Dispose()
    {
        foreach (var level in _levels)
        {
            level.Handle.Dispose();
        }

        _levels.Clear();
    }

    private static unsafe int Open(int directory, ReadOnlySpan<byte> name)
    {
        const ulong Resolve = FileCalls.ResolveBeneath | FileCalls.ResolveNoSymlinks | FileCalls.ResolveNoMagicLinks | FileCalls.ResolveNoCrossing;
        var path = new TerminatedName(name);
        var flags = FileCalls.ReadOnly | FileCalls.DirectoryOnly | FileCalls.NoFollow | FileCalls.CloseOnExec;
        var result = FileCalls.OpenBeneath(directory, (byte*)&path, flags | FileCalls.NoAccessTime, 0, Resolve);

        // Only the owner and CAP_FOWNER may leave the access time alone; root of a user namespace or of NFS is neither.
        return result < 0 && Marshal.GetLastPInvokeError() == ErrorCode.NotPermitted
            ? FileCalls.OpenBeneath(directory, (byte*)&path, flags, 0, Resolve)
            : result;
    }

    [StructLayout(LayoutKind.Auto)]
    private record struct Level(Descriptor Handle, DirectoryNode Node, ulong Device, ulong Inode)
    {
        public void CloseHandle()
        {
            Handle.Dispose();
            Handle = Descriptor.None;
        }
    }
}
