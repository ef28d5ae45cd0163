using System.Buffers.Binary;
using System.Threading.Channels;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Memory;

/// <summary>
/// Writes one <see cref="PageStreamFormat"/> stream. Pages are read into the frame that they are sent from, and while one frame is
/// digested and sent the next one is filled. One call at a time.
/// </summary>
public sealed class PageStreamWriter : IAsyncDisposable
{
    // One that is filled, one that is sent, one in between.
    private const int Frames = 3;

    private readonly Stream _destination;
    private readonly StreamDigest _digest = new();
    private readonly Channel<PageFrame> _filled = Channel.CreateBounded<PageFrame>(new BoundedChannelOptions(Frames) { SingleReader = true, SingleWriter = true });
    private readonly Channel<PageFrame> _free = Channel.CreateBounded<PageFrame>(new BoundedChannelOptions(Frames) { SingleReader = true, SingleWriter = true });
    private readonly CancellationTokenSource _stopped;
    private readonly Task _pump;
    private PageFrame? _frame;
    private PageStreamTotals _totals;

    /// <param name="destination">Gets everything up to the stream's own end and is flushed, not closed.</param>
    /// <param name="cancellationToken">For the whole stream, which is then cut off.</param>
    public PageStreamWriter(Stream destination, CancellationToken cancellationToken)
    {
        _destination = destination;
        _stopped = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        for (var i = 0; i < Frames; i++)
        {
            _free.Writer.TryWrite(new PageFrame());
        }

        _pump = PumpAsync(_stopped.Token);
    }

    /// <summary>So far; not all of it need have been sent yet.</summary>
    public PageStreamTotals Totals => _totals;

    /// <summary>Bytes handed to the destination so far.</summary>
    public long BytesSent { get; private set; }

    /// <summary>Reads pages and sends them: those that hold zeros as ranges, those that are gone as dropped.</summary>
    /// <param name="processId">In the container's own pid namespace.</param>
    /// <exception cref="IOException">The destination cannot be written.</exception>
    public async ValueTask WriteAsync(int processId, PageRange range, IPageSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        while (range.PageCount > 0)
        {
            var frame = await GetFrameAsync();
            var done = Fill(frame, processId, range, source);
            range = new PageRange(range.Address + (done << MemoryPage.Shift), range.PageCount - done);
        }
    }

    /// <summary>Says that pages hold zeros, where the caller knows it without reading them.</summary>
    public ValueTask WriteZeroAsync(int processId, PageRange range) => AddAsync(new PageRun(processId, range, PageRunKind.Zero));

    /// <summary>Says that pages exist and are not in this stream.</summary>
    public ValueTask MissAsync(int processId, PageRange range) => AddAsync(new PageRun(processId, range, PageRunKind.Missing));

    /// <summary>Says that pages are not there any more.</summary>
    public ValueTask DropAsync(int processId, PageRange range) => AddAsync(new PageRun(processId, range, PageRunKind.Dropped));

    /// <summary>Writes what is left, totals and digest, and flushes.</summary>
    public async Task<PageStreamTotals> CompleteAsync()
    {
        if (_frame is { IsEmpty: false } rest)
        {
            await HandOverAsync(rest);
        }

        _filled.Writer.Complete();
        await _pump;
        return _totals;
    }

    /// <summary>Without <see cref="CompleteAsync"/> before, the stream stays without its end.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopped.CancelAsync();
        await _pump.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _frame?.Dispose();
        while (_free.Reader.TryRead(out var frame) || _filled.Reader.TryRead(out frame))
        {
            frame.Dispose();
        }

        _stopped.Dispose();
    }

    /// <returns>How many pages of the range are done with.</returns>
    private ulong Fill(PageFrame frame, int processId, PageRange range, IPageSource source)
    {
        var pages = frame.FreePages;
        var wanted = (int)Math.Min(range.PageCount, (ulong)(pages.Length >> MemoryPage.Shift));
        var read = source.Read(processId, range.Address, pages[..(wanted << MemoryPage.Shift)]);
        if (read == 0)
        {
            return Add(frame, new PageRun(processId, new PageRange(range.Address, 1), PageRunKind.Dropped)) ? 1UL : 0UL;
        }

        var kept = 0;
        for (var page = 0; page < read;)
        {
            var isZero = IsZero(pages, page);
            var end = page + 1;
            while (end < read && IsZero(pages, end) == isZero)
            {
                end++;
            }

            var run = new PageRun(processId, new PageRange(range.Address + ((ulong)page << MemoryPage.Shift), (ulong)(end - page)), isZero ? PageRunKind.Zero : PageRunKind.Data);
            if (!Add(frame, run))
            {
                return (ulong)page; // the table is full: the rest is read again, into the next frame
            }

            if (!isZero)
            {
                // Over the zeros that are not sent; nothing moves where there were none.
                var content = pages[(page << MemoryPage.Shift)..(end << MemoryPage.Shift)];
                if (kept != page)
                {
                    content.CopyTo(pages[(kept << MemoryPage.Shift)..]);
                }

                kept += end - page;
            }

            page = end;
        }

        return (ulong)read;
    }

    private static bool IsZero(ReadOnlySpan<byte> pages, int page) => !pages.Slice(page << MemoryPage.Shift, MemoryPage.Bytes).ContainsAnyExcept((byte)0);

    private async ValueTask AddAsync(PageRun run)
    {
        var rest = run.Range;
        while (rest.PageCount > 0)
        {
            var part = new PageRange(rest.Address, Math.Min(rest.PageCount, PageRun.MaxPages));
            if (Add(await GetFrameAsync(), run with { Range = part }))
            {
                rest = new PageRange(part.End, rest.PageCount - part.PageCount);
            }
        }
    }

    private bool Add(PageFrame frame, PageRun run)
    {
        if (!frame.TryAdd(run))
        {
            return false;
        }

        _totals = _totals.With(run);
        return true;
    }

    /// <summary>The current frame, or the next one when that has no room left.</summary>
    private async ValueTask<PageFrame> GetFrameAsync()
    {
        if (_frame is { HasRoom: false } full)
        {
            await HandOverAsync(full);
        }

        return _frame ??= await NextAsync(_free.Reader);
    }

    private async ValueTask HandOverAsync(PageFrame frame)
    {
        _frame = null;
        if (!_filled.Writer.TryWrite(frame))
        {
            frame.Dispose();
            await _pump; // it has ended early: throws its reason
        }
    }

    private async ValueTask<PageFrame> NextAsync(ChannelReader<PageFrame> frames)
    {
        while (true)
        {
            if (frames.TryRead(out var frame))
            {
                return frame;
            }

            if (!await frames.WaitToReadAsync())
            {
                await _pump;
                throw new InvalidOperationException("the stream was completed before");
            }
        }
    }

    private async Task PumpAsync(CancellationToken cancellationToken)
    {
        try
        {
            var header = new byte[PageStreamFormat.HeaderLength];
            BinaryPrimitives.WriteUInt64LittleEndian(header, PageStreamFormat.Magic);
            BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(sizeof(ulong)), PageStreamFormat.Version);
            await SendAsync(header, cancellationToken);
            await foreach (var frame in _filled.Reader.ReadAllAsync(cancellationToken))
            {
                var bytes = frame.Complete();
                _digest.Append(bytes.Span);
                await SendAsync(bytes, cancellationToken);
                frame.Clear();
                _free.Writer.TryWrite(frame);
            }

            var end = new byte[PageStreamFormat.EndLength];
            ReadOnlySpan<ulong> values = [_totals.DataPages, _totals.ZeroPages, _totals.DroppedPages, _totals.MissingPages, _digest.GetCurrent()];
            for (var i = 0; i < values.Length; i++)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(end.AsSpan(PageStreamFormat.FrameHeadLength + (i * sizeof(ulong))), values[i]);
            }

            await SendAsync(end, cancellationToken);
            await _destination.FlushAsync(cancellationToken);
        }
        finally
        {
            _free.Writer.TryComplete();
            _filled.Writer.TryComplete();
        }
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await _destination.WriteAsync(bytes, cancellationToken);
        BytesSent += bytes.Length;
    }
}
