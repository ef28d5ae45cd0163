using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Memory;

/// <summary>
/// Memory that a frozen container has kept while it runs on the destination already, for the destination to ask for. Nothing else is given
/// out, however often it is asked for, until the destination has all of it.
/// </summary>
/// <param name="peer">Name of the destination, who alone may ask.</param>
/// <param name="pages">What was announced, by pid in the container.</param>
/// <param name="source">Owned.</param>
/// <param name="bandwidth">What the answers keep to.</param>
public sealed class RemainingMemory(string peer, IReadOnlyDictionary<int, PageSet> pages, IFrozenPages source, BandwidthLimit bandwidth) : IDisposable
{
    /// <summary>Pages of one request, all runs together: 16 MiB.</summary>
    public const int MaxRequestedPages = 4096;

    /// <summary>Bytes of the longest request.</summary>
    public const int MaxRequestBytes = PageStreamFormat.HeaderLength + PageStreamFormat.FrameHeadLength + (PageStreamFormat.MaxRuns * PageRun.Bytes) + PageStreamFormat.EndLength;

    // A frame's worth at a low rate would be a silence that looks like a dead link.
    private const int PieceBytes = 64 << 10;

    public string Peer => peer;

    public long Bytes => pages.Values.Sum(p => p.Bytes);

    /// <summary>Answers one request.</summary>
    /// <param name="request">A <see cref="PageStreamFormat"/> stream of missing runs; hostile until checked.</param>
    /// <param name="answer">Gets a stream with those pages, in the order in which they were asked for.</param>
    /// <param name="urgent">Somebody waits for them: the bandwidth is taken and not waited for.</param>
    /// <exception cref="InvalidDataException">It asks for something else, or for too much. Nothing has been written then.</exception>
    public async Task AnswerAsync(Stream request, Stream answer, bool urgent, CancellationToken cancellationToken)
    {
        var asked = new Requests(pages);
        await PageStreamReader.ReadAsync(request, asked, cancellationToken);
        await using var limited = new LimitedStream(answer, bandwidth, urgent);
        await using var writer = new PageStreamWriter(limited, cancellationToken);
        foreach (var (processId, range) in asked.All)
        {
            await writer.WriteAsync(processId, range, source);
        }

        await writer.CompleteAsync();
    }

    public void Dispose() => source.Dispose();

    private sealed class Requests(IReadOnlyDictionary<int, PageSet> pages) : IPageSink
    {
        private ulong _count;

        internal List<PageRequest> All { get; } = [];

        public void Miss(int processId, PageRange range)
        {
            _count += range.PageCount;
            if (_count > MaxRequestedPages)
            {
                throw new InvalidDataException($"more than {MaxRequestedPages} pages are asked for at once");
            }

            if (!pages.TryGetValue(processId, out var announced) || !announced.ContainsAll(new AddressRange(range.Address, range.End)))
            {
                throw new InvalidDataException($"{range.PageCount} pages at {range.Address:x} of process {processId} were never announced");
            }

            All.Add(new PageRequest(processId, range));
        }

        public void Write(int processId, ulong address, ReadOnlySpan<byte> pages) => throw Foreign();

        public void WriteZero(int processId, PageRange range) => throw Foreign();

        public void Drop(int processId, PageRange range) => throw Foreign();

        private static InvalidDataException Foreign() => new("a request for pages holds something else");
    }

    private sealed class LimitedStream(Stream inner, BandwidthLimit bandwidth, bool urgent) : WriteOnlyStream
    {
        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            for (; !buffer.IsEmpty; buffer = buffer[Math.Min(PieceBytes, buffer.Length)..])
            {
                var piece = buffer[..Math.Min(PieceBytes, buffer.Length)];
                var turn = bandwidth.TakeAsync(piece.Length, cancellationToken);
                if (!urgent)
                {
                    await turn;
                }

                await inner.WriteAsync(piece, cancellationToken);
            }
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);
    }
}
