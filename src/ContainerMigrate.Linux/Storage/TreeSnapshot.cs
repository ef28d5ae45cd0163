using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// The entries of a tree at one time, about 110 bytes each. The root is entry 0; the entries of a directory lie side by side, ordered by name,
/// and behind the directory itself.
/// </summary>
internal sealed class TreeSnapshot
{
    private readonly List<TreeEntry> _entries;
    private readonly Dictionary<uint, int> _namesOfObject = [];
    private byte[] _names;
    private int _namesLength;

    /// <param name="expected">About how many entries it will have.</param>
    public TreeSnapshot(int expected = 0)
    {
        _entries = new List<TreeEntry>(expected + 1);
        _names = new byte[Math.Max(256, 16 * expected)];
    }

    public int Count => _entries.Count;

    public ref TreeEntry this[int index] => ref CollectionsMarshal.AsSpan(_entries)[index];

    /// <summary>A tree of which nothing has been sent.</summary>
    public static TreeSnapshot Empty()
    {
        var snapshot = new TreeSnapshot();
        snapshot.AddRoot(default);
        return snapshot;
    }

    public void AddRoot(in EntryStamp stamp) => _entries.Add(new TreeEntry { Stamp = stamp, Before = -1, IsSent = true });

    /// <summary>Begins the entries of a directory.</summary>
    public void BeginChildren(int directory) => this[directory].FirstChild = Count;

    public void AddChild(ReadOnlySpan<byte> name, in EntryStamp stamp)
    {
        if (_names.Length - _namesLength < name.Length)
        {
            Array.Resize(ref _names, checked((int)Math.Min(Array.MaxLength, (_names.Length + name.Length) * 2L)));
        }

        name.CopyTo(_names.AsSpan(_namesLength));
        _entries.Add(new TreeEntry { Stamp = stamp, Before = -1, NameStart = _namesLength, NameLength = (byte)name.Length });
        _namesLength += name.Length;
    }

    /// <summary>Ends the entries of a directory: those that were added since <see cref="BeginChildren"/>.</summary>
    public void EndChildren(int directory)
    {
        ref var parent = ref this[directory];
        parent.ChildCount = Count - parent.FirstChild;
        CollectionsMarshal.AsSpan(_entries).Slice(parent.FirstChild, parent.ChildCount).Sort((a, b) => NameOf(a).SequenceCompareTo(NameOf(b)));
    }

    public ReadOnlySpan<byte> NameOf(int index) => NameOf(_entries[index]);

    /// <summary>Counts the names of each object, once nothing is sent any more.</summary>
    public void CountObjects()
    {
        foreach (ref var entry in CollectionsMarshal.AsSpan(_entries))
        {
            if (entry is { Object: not 0, IsSent: true })
            {
                CollectionsMarshal.GetValueRefOrAddDefault(_namesOfObject, entry.Object, out _)++;
            }
        }
    }

    /// <summary>Bytes that the digests of its files take.</summary>
    public long DigestCost()
    {
        var cost = 0L;
        foreach (ref var entry in CollectionsMarshal.AsSpan(_entries))
        {
            cost += entry.Blocks?.Cost ?? 0;
        }

        return cost;
    }

    /// <summary>How many entries are one file at the destination.</summary>
    public int NamesOf(uint number) => _namesOfObject.GetValueOrDefault(number);

    /// <summary>Pairs what two directories have, by name. Entries that were not sent count as none.</summary>
    /// <param name="directory">In this snapshot.</param>
    /// <param name="before">An earlier one.</param>
    /// <param name="other">The directory there; -1 for none.</param>
    /// <param name="visit">Gets an index here and one there; -1 for none.</param>
    public void Pair(int directory, TreeSnapshot before, int other, Action<int, int> visit)
    {
        var (here, hereEnd) = RangeOf(directory);
        var (there, thereEnd) = other < 0 ? (0, 0) : before.RangeOf(other);
        while (here < hereEnd || there < thereEnd)
        {
            if (there < thereEnd && !before[there].IsSent)
            {
                there++;
                continue;
            }

            var order = here == hereEnd ? 1 : there == thereEnd ? -1 : NameOf(here).SequenceCompareTo(before.NameOf(there));
            visit(order <= 0 ? here++ : -1, order >= 0 ? there++ : -1);
        }
    }

    private (int Start, int End) RangeOf(int directory)
    {
        ref var entry = ref this[directory];
        return (entry.FirstChild, entry.FirstChild + entry.ChildCount);
    }

    private ReadOnlySpan<byte> NameOf(TreeEntry entry) => _names.AsSpan(entry.NameStart, entry.NameLength);
}
