using System.Text;
using ContainerMigrate.Checks;
using ContainerMigrate.Storage;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Linux.Storage;

/// <summary>Finds out what a file system takes by trying it with a file that has no name, which leaves nothing behind; and what a tree has that one does not take.</summary>
internal static class FileSystemTrial
{
    // struct vfs_cap_data of linux/capability.h: revision 2, effective; CAP_NET_BIND_SERVICE permitted.
    private static readonly byte[] Capability = [1, 0, 0, 2, 0, 4, 0, 0, .. new byte[12]];

    // linux/posix_acl_xattr.h, version 2: owner rw, user 1000 r, group none, mask r, others none.
    private static readonly byte[] AccessList =
    [
        2, 0, 0, 0,
        .. Entry(0x01, 6, uint.MaxValue), .. Entry(0x02, 4, 1000), .. Entry(0x04, 0, uint.MaxValue), .. Entry(0x10, 4, uint.MaxValue), .. Entry(0x20, 0, uint.MaxValue),
    ];

    private static readonly (string Feature, byte[] Name, byte[] Value)[] Trials =
    [
        (FileFeatures.UserAttributes, "user.ctmigrate"u8.ToArray(), [1]),
        (FileFeatures.TrustedAttributes, "trusted.ctmigrate"u8.ToArray(), [1]),
        (FileFeatures.Capabilities, "security.capability"u8.ToArray(), Capability),
        (FileFeatures.AccessLists, "system.posix_acl_access"u8.ToArray(), AccessList),
    ];

    /// <summary>Tries the file system of a directory; <see cref="FileSystemLimits.None"/> where no file without a name can be made.</summary>
    public static unsafe FileSystemLimits Run(string directory)
    {
        fixed (byte* path = Encoding.UTF8.GetBytes(directory + '\0'))
        {
            using var file = new Descriptor(FileCalls.OpenAt(
                FileCalls.CurrentDirectory, path, FileCalls.ReadWrite | FileCalls.Unnamed | FileCalls.DirectoryOnly | FileCalls.CloseOnExec, 0x180));
            return file.IsOpen
                ? new FileSystemLimits([.. Trials.Where(t => ExtendedAttributes.TrySet(file.Value, isPathOnly: false, t.Name, t.Value, mayReplace: true) == ErrorCode.NotSupported).Select(t => t.Feature)], FindMaxLength(file))
                : FileSystemLimits.None;
        }
    }

    /// <summary>Looks for what a file system does not take.</summary>
    /// <returns>The first entry of the tree that has some, and what, in words; null for none.</returns>
    /// <exception cref="IOException">Something cannot be read; the message names it.</exception>
    public static string? FindUnsupported(DirectoryCursor cursor, FileSystemLimits limits, CancellationToken cancellationToken)
    {
        var attributes = new ExtendedAttributes();
        var levels = new Stack<(DirectoryListing Listing, int Next)>();
        levels.Push((DirectoryListing.Read(cursor.Current, cursor.Describe([])), 0));
        while (levels.TryPop(out var level))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (listing, next) = level;
            var entered = false;
            for (; next < listing.Count && !entered; next++)
            {
                var name = listing.GetName(next);
                using var entry = Descriptor.OpenPath(cursor.Current, name);
                if (!entry.IsOpen)
                {
                    continue; // gone by now
                }

                var status = entry.GetStatus(cursor.Describe(name));
                if (Find(entry, status, attributes, limits) is { } found)
                {
                    return $"{cursor.Describe(name)} {found}";
                }

                entered = status.Type == TreeAttributes.Directory && cursor.TryEnter(name, out _) == 0;
            }

            if (entered)
            {
                levels.Push((listing, next));
                levels.Push((DirectoryListing.Read(cursor.Current, cursor.Describe([])), 0));
            }
            else if (cursor.Depth > 0)
            {
                cursor.Leave();
            }
        }

        return null;
    }

    private static string? Find(Descriptor entry, in FileStatus status, ExtendedAttributes attributes, FileSystemLimits limits)
    {
        if (status.Type == TreeAttributes.RegularFile && limits.MaxFileBytes > 0 && status.Size > (ulong)limits.MaxFileBytes)
        {
            return $"is {ByteSize.Format((long)status.Size)} long, of {ByteSize.Format(limits.MaxFileBytes)} at most";
        }

        string? lacking = null;
        attributes.Read(entry.Value, isPathOnly: true, (name, _) =>
        {
            if (ExtendedAttributePolicy.Travels(name) && FileFeatures.OfAttribute(name) is { } feature && limits.Lacks.Contains(feature))
            {
                lacking = feature;
            }
        });
        return lacking is null ? null : $"has {lacking}";
    }

    // Offsets beyond the longest file are refused, and nothing is written for that.
    private static long FindMaxLength(Descriptor file)
    {
        var (possible, impossible) = (0L, long.MaxValue);
        while (impossible - possible > 1)
        {
            var middle = possible + ((impossible - possible) / 2);
            (possible, impossible) = FileCalls.Seek(file.Value, middle, 0) == middle ? (middle, impossible) : (possible, middle);
        }

        return possible;
    }

    private static byte[] Entry(ushort tag, ushort permissions, uint id) => [.. BitConverter.GetBytes(tag), .. BitConverter.GetBytes(permissions), .. BitConverter.GetBytes(id)];
}
