using System.Runtime.InteropServices;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>The sender's memory of files with several names: numbers them, and forgets one when all its names were met.</summary>
/// <param name="last">The number given last, to somebody else.</param>
internal sealed class LinkIds(ulong last = 0)
{
    private readonly Dictionary<Key, Seen> _seen = [];

    /// <summary>The number given last.</summary>
    public ulong Last { get; private set; } = last;

    /// <summary>
    /// The id of a file; 0 when it has one name.
    /// </summary>
    /// <param name="use">Whether the file itself has to be sent, or a link to one that was.</param>
    public ulong Find(in FileStatus status, out LinkUse use)
    {
        use = LinkUse.First;
        if (status.Links <= 1)
        {
            return 0;
        }

        // The birth time tells an inode number that was freed and given again while the tree was read.
        var key = new Key(status.Device, status.Inode, status.BirthTime.Value);
        if (!_seen.TryGetValue(key, out var seen))
        {
            _seen[key] = seen = new Seen(++Last, status.Links - 1);
            return seen.Id;
        }

        if (seen.NamesLeft <= 1)
        {
            use = LinkUse.Last;
            _seen.Remove(key);
        }
        else
        {
            use = LinkUse.Another;
            _seen[key] = seen with { NamesLeft = seen.NamesLeft - 1 };
        }

        return seen.Id;
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Key(ulong Device, ulong Inode, FileTime Birth);

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Seen(ulong Id, uint NamesLeft);
}
