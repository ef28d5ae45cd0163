using System.Globalization;
using System.Text;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Storage;
using Shouldly;

namespace ContainerMigrate.Tests.Storage;

/// <summary>
/// A canonical listing of a tree, one line an entry: two trees are alike when their listings are. Holds type, mode, owner, times
/// to the nanosecond, extended attributes, device numbers, targets, which names are one file, content, and where the holes are.
/// </summary>
internal sealed class TreeDigest
{
    private readonly StringBuilder _lines = new();
    private readonly Dictionary<(ulong, ulong), int> _linked = [];
    private readonly ExtendedAttributes _extended = new();
    private readonly bool _withAccessTimes;
    private readonly bool _withHoles;

    private TreeDigest(bool withAccessTimes, bool withHoles)
    {
        _withAccessTimes = withAccessTimes;
        _withHoles = withHoles;
    }

    /// <param name="directory">Root of the tree; its own attributes are the first line.</param>
    /// <param name="withAccessTimes">False when somebody read the tree in between.</param>
    /// <param name="withHoles">False when the two file systems may place holes differently.</param>
    public static string Of(string directory, bool withAccessTimes = true, bool withHoles = true)
    {
        var digest = new TreeDigest(withAccessTimes, withHoles);
        using var cursor = new DirectoryCursor(directory);
        digest.Walk(cursor);
        return digest._lines.ToString();
    }

    /// <summary>The lines in which two listings differ: <c>- expected</c>, <c>+ actual</c>; empty when the trees are alike.</summary>
    public static IReadOnlyList<string> Differences(string expected, string actual)
    {
        var (left, right) = (expected.Split('\n'), actual.Split('\n'));
        return [.. left.Except(right).Select(line => "- " + line), .. right.Except(left).Select(line => "+ " + line)];
    }

    private void Walk(DirectoryCursor cursor)
    {
        var root = new Descriptor(cursor.Current);
        Describe("."u8, root, root.GetStatus("."), 0);
        var pending = new Stack<Queue<byte[]>>();
        pending.Push(List(cursor));
        while (pending.Count > 0)
        {
            if (!pending.Peek().TryDequeue(out var name))
            {
                _ = pending.Pop();
                if (cursor.Depth > 0)
                {
                    cursor.Leave();
                }

                continue;
            }

            using var entry = Descriptor.OpenPath(cursor.Current, name);
            var status = entry.GetStatus(EntryName.Describe(name));
            Describe(name, entry, status, cursor.Depth + 1);
            if (status.Type == TreeAttributes.Directory && cursor.TryEnter(name, out _) == 0)
            {
                pending.Push(List(cursor));
            }
        }
    }

    private static Queue<byte[]> List(DirectoryCursor cursor)
    {
        var listing = DirectoryListing.Read(cursor.Current, "directory");
        var names = Enumerable.Range(0, listing.Count).Select(i => listing.GetName(i).ToArray()).ToList();
        names.Sort(static (a, b) => a.AsSpan().SequenceCompareTo(b));
        return new Queue<byte[]>(names);
    }

    private void Describe(ReadOnlySpan<byte> name, Descriptor entry, in FileStatus status, int depth)
    {
        _lines.Append(CultureInfo.InvariantCulture, $"{depth} {EntryName.Describe(name)} {Convert.ToString(status.Mode, 8)} {status.UserId}:{status.GroupId} m={Format(status.ModificationTime)}");
        // A symlink's changes when its target is read, and nothing can keep it.
        if (_withAccessTimes && status.Type != TreeAttributes.SymbolicLink)
        {
            _lines.Append(CultureInfo.InvariantCulture, $" a={Format(status.AccessTime)}");
        }

        if (status.Links > 1 && status.Type != TreeAttributes.Directory)
        {
            _linked.TryAdd((status.Device, status.Inode), _linked.Count);
            _lines.Append(CultureInfo.InvariantCulture, $" file={_linked[(status.Device, status.Inode)]}");
        }

        DescribeContent(entry, status);
        var attributes = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var isPathOnly = depth > 0;
        _extended.Read(entry.Value, isPathOnly, (key, value) => attributes[EntryName.Describe(key)] = Convert.ToHexString(value));
        foreach (var (key, value) in attributes)
        {
            _lines.Append(CultureInfo.InvariantCulture, $" {key}={value}");
        }

        _lines.Append('\n');
    }

    private static string Format(FileStatus.Time time) => string.Create(CultureInfo.InvariantCulture, $"{time.Value.Seconds}.{time.Value.Nanoseconds:d9}");

    private unsafe void DescribeContent(Descriptor entry, in FileStatus status)
    {
        switch (status.Type)
        {
            case TreeAttributes.CharacterDevice or TreeAttributes.BlockDevice:
                _lines.Append(CultureInfo.InvariantCulture, $" device={status.SpecialMajor}:{status.SpecialMinor}");
                break;
            case TreeAttributes.SymbolicLink:
                var target = new byte[4096];
                var empty = (byte)0;
                fixed (byte* bytes = target)
                {
                    var length = FileCalls.ReadLink(entry.Value, &empty, bytes, (nuint)target.Length);
                    _lines.Append(CultureInfo.InvariantCulture, $" -> {EntryName.Describe(target.AsSpan(0, (int)length))} ({length})");
                }

                break;
            case TreeAttributes.RegularFile:
                DescribeFile(entry, status);
                break;
        }
    }

    private unsafe void DescribeFile(Descriptor entry, FileStatus status)
    {
        using var file = entry.OpenContent();
        var digest = new StreamDigest();
        var buffer = new byte[1 << 18];
        var extents = new FileExtents(file, status);
        _lines.Append(CultureInfo.InvariantCulture, $" size={status.Size}");
        for (var position = 0L; position < extents.Size;)
        {
            extents.Find(position, out var start, out var end);
            if (_withHoles)
            {
                _lines.Append(CultureInfo.InvariantCulture, $" [{start}-{end}]");
            }

            for (position = start; position < end;)
            {
                fixed (byte* bytes = buffer)
                {
                    var count = FileCalls.Read(file.Value, bytes, (nuint)Math.Min(buffer.Length, end - position), position);
                    count.ShouldBeGreaterThan(0);
                    digest.Append(BitConverter.GetBytes(position));
                    digest.Append(buffer.AsSpan(0, (int)count));
                    position += count;
                }
            }
        }

        _lines.Append(CultureInfo.InvariantCulture, $" content={digest.GetCurrent():x16}");
    }
}
