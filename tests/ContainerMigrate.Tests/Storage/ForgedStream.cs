using ContainerMigrate.Storage;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

/// <summary>Streams as a hostile peer would write them: any records in any order, with the right total and digest.</summary>
internal static class ForgedStream
{
    public static readonly TreeAttributes PlainFile = new(TreeAttributes.RegularFile | 0x1A4, 0, 0, default, default);
    public static readonly TreeAttributes PlainDirectory = new(TreeAttributes.Directory | 0x1ED, 0, 0, default, default);
    public static readonly TreeAttributes PlainLink = new(TreeAttributes.SymbolicLink | 0x1FF, 0, 0, default, default);

    /// <summary>Header, then what <paramref name="write"/> writes.</summary>
    public static Task<byte[]> OfAsync(Action<TreeRecordWriter> write) => OfAsync((_, records) => write(records));

    /// <summary>Changes to a tree, as far as <paramref name="write"/> writes them.</summary>
    public static Task<byte[]> OfChangesAsync(Action<TreeRecordWriter> write) => OfAsync((_, records) => write(records), TreeStreamFormat.Changes);

    public static async Task<byte[]> OfAsync(Action<BlockWriter, TreeRecordWriter> write, ushort content = TreeStreamFormat.WholeTree)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var blocks = new BlockWriter(cancellationToken);
        using var stream = new MemoryStream();
        var pump = blocks.PumpAsync(stream, cancellationToken);
        write(blocks, new TreeRecordWriter(blocks, content));
        blocks.Complete();
        await pump;
        return stream.ToArray();
    }

    /// <summary>A payload (with or without a header) cut into the largest blocks, with its own total and digest.</summary>
    public static byte[] OfPayload(ReadOnlySpan<byte> payload) => OfPayload(payload, TreeStreamFormat.MaxBlockLength);

    /// <summary>A payload whose first block ends after <paramref name="firstLength"/> bytes.</summary>
    public static byte[] OfPayload(ReadOnlySpan<byte> payload, int firstLength)
    {
        using var stream = new MemoryStream();
        var digest = new StreamDigest();
        digest.Append(payload);
        for (var length = firstLength; payload.Length > 0; length = TreeStreamFormat.MaxBlockLength)
        {
            var block = payload[..Math.Min(payload.Length, length)];
            stream.Write(BitConverter.GetBytes(block.Length));
            stream.Write(block);
            payload = payload[block.Length..];
        }

        stream.Write(BitConverter.GetBytes(0));
        stream.Write(BitConverter.GetBytes(digest.Length));
        stream.Write(BitConverter.GetBytes(digest.GetCurrent()));
        return stream.ToArray();
    }

    /// <summary>The payload of a stream of several blocks.</summary>
    public static byte[] PayloadOf(byte[] stream)
    {
        using var payload = new MemoryStream();
        for (var position = 0; BitConverter.ToInt32(stream, position) is > 0 and var length; position += sizeof(int) + length)
        {
            payload.Write(stream, position + sizeof(int), length);
        }

        return payload.ToArray();
    }

    /// <summary>Puts what is written into a complete tree.</summary>
    public static Task<byte[]> OfTreeAsync(CopyTotals totals, Action<TreeRecordWriter> write) => OfAsync(records =>
    {
        write(records);
        EndTree(records, totals);
    });

    public static void EndTree(TreeRecordWriter records, CopyTotals totals)
    {
        EndDirectory(records);
        records.TreeEnd(totals);
    }

    public static void EndDirectory(TreeRecordWriter records)
    {
        records.DirectoryEnd(PlainDirectory);
        records.EntryEnd();
    }

    public static void AddFile(TreeRecordWriter records, ReadOnlySpan<byte> name, ulong linkId = 0)
    {
        records.File(name, PlainFile, linkId);
        records.FileEnd(0);
        records.EntryEnd();
    }

    public static void AddData(TreeRecordWriter records, int length)
    {
        records.BeginData(0, length).Fill((byte)'d');
        records.EndData(length);
    }
}
