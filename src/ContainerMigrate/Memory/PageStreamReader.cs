using System.Buffers;
using System.Buffers.Binary;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Memory;

/// <summary>Reads a <see cref="PageStreamFormat"/> stream into a sink; while one frame is kept the next one arrives.</summary>
public static class PageStreamReader
{
    /// <summary>Reads to the stream's own end and not beyond, and checks totals and digest.</summary>
    /// <param name="source">What <see cref="PageStreamWriter"/> wrote; hostile until checked.</param>
    /// <param name="sink">Has been given everything when this returns, and part of a stream that is refused when it throws.</param>
    /// <param name="cancellationToken">Leaves the stream where it is.</param>
    /// <exception cref="InvalidDataException">The stream lies, ends early or its digest differs.</exception>
    public static async Task<PageStreamTotals> ReadAsync(Stream source, IPageSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(sink);
        var arriving = ArrayPool<byte>.Shared.Rent(PageStreamFormat.FrameHeadLength + PageStreamFormat.MaxBodyLength);
        var kept = ArrayPool<byte>.Shared.Rent(PageStreamFormat.FrameHeadLength + PageStreamFormat.MaxBodyLength);
        var keeping = Task.FromResult(default(PageStreamTotals));
        try
        {
            await ReadHeaderAsync(source, arriving, cancellationToken);
            var digest = new StreamDigest();
            while (true)
            {
                await FillAsync(source, arriving.AsMemory(0, PageStreamFormat.FrameHeadLength), cancellationToken);
                var runs = BinaryPrimitives.ReadUInt32LittleEndian(arriving);
                var pages = BinaryPrimitives.ReadUInt32LittleEndian(arriving.AsSpan(sizeof(uint)));
                if (runs == 0 && pages == 0)
                {
                    var totals = await keeping;
                    await FillAsync(source, arriving.AsMemory(0, PageStreamFormat.EndLength - PageStreamFormat.FrameHeadLength), cancellationToken);
                    CheckEnd(arriving, totals, digest);
                    return totals;
                }

                if (runs is 0 or > PageStreamFormat.MaxRuns || pages > PageStreamFormat.MaxPages)
                {
                    throw new InvalidDataException($"page stream: a frame of {runs} runs and {pages} pages");
                }

                var length = PageStreamFormat.FrameHeadLength + ((int)runs * PageRun.Bytes) + ((int)pages << MemoryPage.Shift);
                await FillAsync(source, arriving.AsMemory(PageStreamFormat.FrameHeadLength, length - PageStreamFormat.FrameHeadLength), cancellationToken);
                var before = await keeping;
                (arriving, kept) = (kept, arriving);
                var frame = kept;
                // A thread of the pool: digest and writing of one frame take about as long as the next one's arrival.
                keeping = Task.Run(() => Keep(frame.AsSpan(0, length), (int)runs, sink, digest, before), CancellationToken.None);
            }
        }
        finally
        {
            // The frame's buffer must not be given back while it is read, and what went wrong here says more than what goes wrong there.
            await ((Task)keeping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            ArrayPool<byte>.Shared.Return(arriving);
            ArrayPool<byte>.Shared.Return(kept);
        }
    }

    private static PageStreamTotals Keep(ReadOnlySpan<byte> frame, int runs, IPageSink sink, StreamDigest digest, PageStreamTotals totals)
    {
        digest.Append(frame);
        var table = frame.Slice(PageStreamFormat.FrameHeadLength, runs * PageRun.Bytes);
        var pages = frame[(PageStreamFormat.FrameHeadLength + table.Length)..];
        for (; !table.IsEmpty; table = table[PageRun.Bytes..])
        {
            var run = PageRun.Read(table);
            totals = totals.With(run);
            switch (run.Kind)
            {
                case PageRunKind.Data when run.Range.Bytes <= (ulong)pages.Length:
                    sink.Write(run.ProcessId, run.Range.Address, pages[..(int)run.Range.Bytes]);
                    pages = pages[(int)run.Range.Bytes..];
                    break;
                case PageRunKind.Zero:
                    sink.WriteZero(run.ProcessId, run.Range);
                    break;
                case PageRunKind.Dropped:
                    sink.Drop(run.ProcessId, run.Range);
                    break;
                case PageRunKind.Missing:
                    sink.Miss(run.ProcessId, run.Range);
                    break;
                default:
                    throw new InvalidDataException("page stream: a frame with fewer pages than its runs have");
            }
        }

        return pages.IsEmpty ? totals : throw new InvalidDataException("page stream: a frame with more pages than its runs have");
    }

    private static async ValueTask ReadHeaderAsync(Stream source, byte[] buffer, CancellationToken cancellationToken)
    {
        await FillAsync(source, buffer.AsMemory(0, PageStreamFormat.HeaderLength), cancellationToken);
        if (BinaryPrimitives.ReadUInt64LittleEndian(buffer) != PageStreamFormat.Magic)
        {
            throw new InvalidDataException("page stream: it does not begin like one");
        }

        var version = BinaryPrimitives.ReadUInt32LittleEndian(buffer.AsSpan(sizeof(ulong)));
        if (version != PageStreamFormat.Version)
        {
            throw new InvalidDataException($"page stream: version {version}, and this host knows {PageStreamFormat.Version}");
        }
    }

    private static void CheckEnd(ReadOnlySpan<byte> end, PageStreamTotals totals, StreamDigest digest)
    {
        var sent = new PageStreamTotals(
            BinaryPrimitives.ReadUInt64LittleEndian(end), BinaryPrimitives.ReadUInt64LittleEndian(end[8..]), BinaryPrimitives.ReadUInt64LittleEndian(end[16..]),
            BinaryPrimitives.ReadUInt64LittleEndian(end[24..]));
        if (sent != totals)
        {
            throw new InvalidDataException($"page stream: {totals.DataPages} pages arrived, the sender counted {sent.DataPages}");
        }

        var expected = BinaryPrimitives.ReadUInt64LittleEndian(end[32..]);
        if (expected != digest.GetCurrent())
        {
            throw new InvalidDataException($"page stream: digest {digest.GetCurrent():x16} of what arrived is not the sender's {expected:x16}");
        }
    }

    private static async ValueTask FillAsync(Stream source, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            await source.ReadExactlyAsync(buffer, cancellationToken);
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException("page stream: it ends early", e);
        }
    }
}
