using System.Buffers.Binary;
using System.Security.Cryptography;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// What a destination has kept of a tree: its names, and what is in its files as <see cref="BlockDigests"/>. In the blocks of <see cref="TreeStreamFormat"/>,
/// numbers little endian:
/// <code>
/// listing   = u8{32} seed of the digests, children* digests* End
/// children  = Children u32 directory, u32 count, child{count}   (entries are numbered as they come, the root is 0; by name)
/// child     = u8 (0 other, 1 directory, 2 file), u8 length, name
/// digests   = Digests u32 file, u16 count, u128{count}          (the next blocks of that file)
/// </code>
/// </summary>
internal static class KeptListing
{
    private const byte Children = 1;
    private const byte Digests = 2;
    private const byte End = 3;

    private const byte Other = 0;
    private const byte IsDirectory = 1;
    private const byte IsFile = 2;

    private const int DigestLength = 16;
    private const int MaxDigests = 4096; // in a record

    /// <summary>Writes a tree that nobody changes.</summary>
    /// <exception cref="IOException">Something cannot be read; the message names it.</exception>
    public static void Write(string directory, BlockWriter blocks, CancellationToken cancellationToken)
    {
        using var cursor = new DirectoryCursor(directory);
        var tree = TreeScanner.Run(cursor, 0, FollowedTree.MaxEntries, cancellationToken) ?? throw new IOException($"{directory}: it has more than {FollowedTree.MaxEntries} entries");
        var seed = RandomNumberGenerator.GetBytes(BlockHash.SeedLength);
        var hash = new BlockHash(seed);
        seed.CopyTo(blocks.GetSpan(seed.Length));
        blocks.Advance(seed.Length);
        foreach (var index in Enumerable.Range(0, tree.Count).Where(i => tree[i].ChildCount > 0).OrderBy(i => tree[i].FirstChild))
        {
            WriteChildren(tree, index, blocks);
        }

        var left = DigestBudget.All;
        var levels = new Stack<(int Directory, int Next)>();
        levels.Push((0, 0));
        while (levels.TryPop(out var level))
        {
            var (parent, next) = level;
            var entered = -1;
            for (; next < tree[parent].ChildCount && entered < 0; next++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var child = tree[parent].FirstChild + next;
                var stamp = tree[child].Stamp;
                if (tree[child].ChildCount > 0 && cursor.TryEnter(tree.NameOf(child), out _) == 0)
                {
                    entered = child;
                }
                else if (stamp is { IsFile: true, HasLinks: false, IsMountRoot: false, Size: > 0 } && (left -= CostOf(stamp)) >= 0)
                {
                    WriteDigests(cursor, tree.NameOf(child), child, hash, blocks, cancellationToken);
                }
            }

            if (entered >= 0)
            {
                levels.Push((parent, next));
                levels.Push((entered, 0));
            }
            else if (cursor.Depth > 0)
            {
                cursor.Leave();
            }
        }

        blocks.GetSpan(1)[0] = End;
        blocks.Advance(1);
    }

    /// <summary>Reads one, as a snapshot of what the destination has: no entry counts as unchanged, and files are known by their digests.</summary>
    /// <exception cref="InvalidDataException">It is malformed, or too large.</exception>
    public static TreeSnapshot Read(BlockReader blocks, int maxEntries)
    {
        var tree = TreeSnapshot.Empty();
        tree[0].Stamp = EntryStamp.OfKind(TreeAttributes.Directory);
        var left = DigestBudget.All;
        blocks.BeginRecord();
        var hash = new BlockHash(blocks.Take(BlockHash.SeedLength).Span);
        while (true)
        {
            blocks.BeginRecord();
            switch (blocks.Take(1).Span[0])
            {
                case Children:
                    ReadChildren(tree, blocks, maxEntries);
                    break;
                case Digests:
                    ReadDigests(tree, hash, blocks, ref left);
                    break;
                case End:
                    return blocks.IsAtEnd() ? tree : throw Malformed("it goes on behind its end");
                default:
                    throw Malformed("a record of no known kind");
            }
        }
    }

    private static long CostOf(in EntryStamp stamp) => 256 + (DigestLength * ((long)(stamp.Size / BlockDigests.BlockLength) + 1));

    private static void WriteChildren(TreeSnapshot tree, int directory, BlockWriter blocks)
    {
        var record = blocks.GetSpan(9);
        record[0] = Children;
        BinaryPrimitives.WriteUInt32LittleEndian(record[1..], (uint)directory);
        BinaryPrimitives.WriteUInt32LittleEndian(record[5..], (uint)tree[directory].ChildCount);
        blocks.Advance(9);
        for (var i = 0; i < tree[directory].ChildCount; i++)
        {
            var child = tree[directory].FirstChild + i;
            var name = tree.NameOf(child);
            record = blocks.GetSpan(2 + name.Length);
            record[0] = tree[child].Stamp.IsDirectory ? IsDirectory : tree[child].Stamp.IsFile ? IsFile : Other;
            record[1] = (byte)name.Length;
            name.CopyTo(record[2..]);
            blocks.Advance(2 + name.Length);
        }
    }

    private static void WriteDigests(DirectoryCursor cursor, ReadOnlySpan<byte> name, int index, BlockHash hash, BlockWriter blocks, CancellationToken cancellationToken)
    {
        using var entry = Descriptor.OpenPath(cursor.Current, name);
        using var file = entry.IsOpen && entry.GetStatus() is { Type: TreeAttributes.RegularFile } ? entry.OpenContent() : Descriptor.None;
        if (!file.IsOpen)
        {
            throw FileError.Last("open", cursor.Describe(name));
        }

        var digests = new List<UInt128>();
        BlockDigests.Read(file, file.GetStatus(), cursor, name, hash, digest =>
        {
            digests.Add(digest);
            if (digests.Count == MaxDigests)
            {
                Flush(digests);
            }
        }, cancellationToken);
        Flush(digests);

        void Flush(List<UInt128> some)
        {
            var length = 7 + (DigestLength * some.Count);
            var record = blocks.GetSpan(length);
            record[0] = Digests;
            BinaryPrimitives.WriteUInt32LittleEndian(record[1..], (uint)index);
            BinaryPrimitives.WriteUInt16LittleEndian(record[5..], (ushort)some.Count);
            for (var i = 0; i < some.Count; i++)
            {
                BinaryPrimitives.WriteUInt128LittleEndian(record[(7 + (DigestLength * i))..], some[i]);
            }

            blocks.Advance(length);
            some.Clear();
        }
    }

    private static void ReadChildren(TreeSnapshot tree, BlockReader blocks, int maxEntries)
    {
        var head = blocks.Take(8).Span;
        var directory = BinaryPrimitives.ReadUInt32LittleEndian(head);
        var count = BinaryPrimitives.ReadUInt32LittleEndian(head[4..]);
        if (directory >= tree.Count || count == 0 || count > maxEntries - tree.Count || tree[(int)directory] is not { Stamp.IsDirectory: true, ChildCount: 0 })
        {
            throw Malformed("entries of what is no directory, or too many");
        }

        tree.BeginChildren((int)directory);
        byte[] previous = [];
        for (var i = 0; i < count; i++)
        {
            blocks.BeginRecord();
            var child = blocks.Take(2).Span;
            var kind = child[0];
            var name = blocks.Take(child[1]).Span;
            if (!EntryName.IsValid(name) || kind > IsFile || (i > 0 && name.SequenceCompareTo(previous) <= 0))
            {
                throw Malformed("a name that cannot be one, or is in the wrong place");
            }

            previous = name.ToArray();
            tree.AddChild(name, EntryStamp.OfKind(kind switch { IsDirectory => TreeAttributes.Directory, IsFile => TreeAttributes.RegularFile, _ => TreeAttributes.Fifo }));
            ref var entry = ref tree[tree.Count - 1];
            (entry.IsSent, entry.IsKept) = (true, true);
        }

        tree.EndChildren((int)directory);
    }

    private static void ReadDigests(TreeSnapshot tree, BlockHash hash, BlockReader blocks, ref long left)
    {
        var head = blocks.Take(6).Span;
        var (index, count) = (BinaryPrimitives.ReadUInt32LittleEndian(head), BinaryPrimitives.ReadUInt16LittleEndian(head[4..]));
        if (index >= tree.Count || !tree[(int)index].Stamp.IsFile)
        {
            throw Malformed("digests of what is no file");
        }

        var digests = tree[(int)index].Blocks ??= new BlockDigests(hash);
        var data = blocks.Take(DigestLength * count).Span;
        left -= (DigestLength * count) + 256;
        if (left < -DigestBudget.All)
        {
            throw Malformed("too many digests");
        }

        for (var i = 0; i < count; i++)
        {
            digests.Add(BinaryPrimitives.ReadUInt128LittleEndian(data[(DigestLength * i)..]));
        }
    }

    private static InvalidDataException Malformed(string what) => new($"list of kept files: {what}");
}
