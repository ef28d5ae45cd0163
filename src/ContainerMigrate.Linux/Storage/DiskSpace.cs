namespace ContainerMigrate.Linux.Storage;

/// <summary>What a file system still takes.</summary>
/// <param name="AvailableBytes">For ordinary users; root's reserve is left out.</param>
/// <param name="TotalBytes">Size of the file system.</param>
/// <param name="AvailableEntries">Inodes; <see cref="long.MaxValue"/> where the file system makes them as needed (btrfs).</param>
public sealed record DiskSpace(long AvailableBytes, long TotalBytes, long AvailableEntries)
{
    /// <summary>Asks about the file system that holds <paramref name="path"/>, or its nearest parent that exists.</summary>
    /// <exception cref="IOException">It cannot be asked.</exception>
    public static unsafe DiskSpace Of(string path)
    {
        var existing = Path.GetFullPath(path);
        while (!Path.Exists(existing) && Path.GetDirectoryName(existing) is { } parent)
        {
            existing = parent;
        }

        FileSystemStatus status;
        if (FileCalls.StatFileSystem(existing, &status) != 0)
        {
            throw FileError.Last("ask for the free space of", existing);
        }

        return new DiskSpace(
            ToBytes(status.AvailableBlocks, status.FragmentSize),
            ToBytes(status.Blocks, status.FragmentSize),
            status.Files == 0 ? long.MaxValue : (long)Math.Min(status.AvailableFiles, long.MaxValue));
    }

    /// <summary>True when a tree fits: its content, one block an entry, and one in twenty on top for what the file system adds.</summary>
    /// <param name="contentBytes">As measured on the source.</param>
    /// <param name="entries">As measured on the source.</param>
    public bool Fits(long contentBytes, long entries)
    {
        const long EntryBytes = 4096;
        var needed = (contentBytes + ((double)entries * EntryBytes)) * 21 / 20;
        return needed <= AvailableBytes && entries <= AvailableEntries;
    }

    private static long ToBytes(ulong blocks, ulong size) => (long)UInt128.Min((UInt128)blocks * size, long.MaxValue);
}
