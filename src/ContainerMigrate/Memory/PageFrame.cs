using System.Buffers;
using System.Buffers.Binary;

namespace ContainerMigrate.Memory;

/// <summary>
/// A frame of <see cref="PageStreamFormat"/> while it is filled. Pages lie where they will be sent from; the table is kept apart and put
/// right before them when the frame is complete, so that it is one write.
/// </summary>
internal sealed class PageFrame : IDisposable
{
    private const int TableBytes = PageStreamFormat.MaxRuns * PageRun.Bytes;
    private const int FirstPage = PageStreamFormat.FrameHeadLength + TableBytes;

    // ArrayPool's shared pool keeps arrays of this size (its limit is 1 GiB), so a stream costs no allocation after the first.
    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(FirstPage + (PageStreamFormat.MaxPages * MemoryPage.Bytes));
    private readonly byte[] _table = ArrayPool<byte>.Shared.Rent(TableBytes);
    private PageRun _last;

    internal int Runs { get; private set; }

    internal int Pages { get; private set; }

    internal bool IsEmpty => Runs == 0;

    internal bool HasRoom => Pages < PageStreamFormat.MaxPages && Runs < PageStreamFormat.MaxRuns;

    /// <summary>Room for the next pages.</summary>
    internal Span<byte> FreePages => _buffer.AsSpan(FirstPage + (Pages << MemoryPage.Shift), (PageStreamFormat.MaxPages - Pages) << MemoryPage.Shift);

    /// <summary>Adds a row, or lengthens the last one by it.</summary>
    /// <returns>False when the table is full.</returns>
    internal bool TryAdd(PageRun run)
    {
        var continues = Runs > 0 && _last.ProcessId == run.ProcessId && _last.Kind == run.Kind && _last.Range.End == run.Range.Address
            && _last.Range.PageCount + run.Range.PageCount <= PageRun.MaxPages;
        if (!continues && Runs == PageStreamFormat.MaxRuns)
        {
            return false;
        }

        _last = continues ? _last with { Range = new PageRange(_last.Range.Address, _last.Range.PageCount + run.Range.PageCount) } : run;
        Runs += continues ? 0 : 1;
        Pages += run.Kind == PageRunKind.Data ? (int)run.Range.PageCount : 0;
        _last.Write(_table.AsSpan((Runs - 1) * PageRun.Bytes));
        return true;
    }

    /// <summary>The frame as it is sent.</summary>
    internal ReadOnlyMemory<byte> Complete()
    {
        var table = _table.AsSpan(0, Runs * PageRun.Bytes);
        var start = FirstPage - table.Length - PageStreamFormat.FrameHeadLength;
        BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(start), Runs);
        BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(start + sizeof(uint)), Pages);
        table.CopyTo(_buffer.AsSpan(start + PageStreamFormat.FrameHeadLength));
        return _buffer.AsMemory(start, FirstPage - start + (Pages << MemoryPage.Shift));
    }

    /// <summary>Empties it for the next ones.</summary>
    internal void Clear() => (Runs, Pages, _last) = (0, 0, default);

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        ArrayPool<byte>.Shared.Return(_table);
    }
}
