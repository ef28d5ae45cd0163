using System.Diagnostics;
using System.IO.Pipelines;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Memory;
using ContainerMigrate.Tests.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>Prints how fast memory gets from a source into a store; the limit is only to notice a disaster.</summary>
[Collection(nameof(MeasuredAlone))]
public sealed class PageThroughputTests
{
    private const ulong Start = 0x7000_0000_0000;
    private const ulong Pages = 128 * 1024; // 512 MiB

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public async Task IntoAStore(int runLength)
    {
        using var directory = new TestDirectory();
        using var store = new PageStore(directory.Make("store"), 2L << 30, 2L << 30);
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 8 << 20, resumeWriterThreshold: 4 << 20));
        var clock = Stopwatch.StartNew();
        var reading = PageStreamReader.ReadAsync(pipe.Reader.AsStream(), store, Cancellation);
        await using (var stream = pipe.Writer.AsStream())
        await using (var writer = new PageStreamWriter(stream, Cancellation))
        {
            await writer.WriteAsync(1, new PageRange(Start, Pages), new Memory(runLength));
            await writer.CompleteAsync();
        }

        var totals = await reading;
        var rate = (Pages >> 8) / clock.Elapsed.TotalSeconds;
        TestContext.Current.SendDiagnosticMessage($"runs of {runLength}: {rate:0} MiB/s of memory, {totals.DataPages >> 8} MiB of it data");
        totals.DataPages.ShouldBe(Pages - (ulong)Enumerable.Range(0, (int)Pages).Count(page => IsZero((Start >> MemoryPage.Shift) + (ulong)page, runLength)));
    }

    private static bool IsZero(ulong page, int runLength) => (int)page % (runLength + 1) == 0;

    /// <summary>Runs of data, and after each a page of zeros.</summary>
    private sealed class Memory(int runLength) : IPageSource
    {
        public int Read(int processId, ulong address, Span<byte> destination)
        {
            for (var page = 0; page < destination.Length >> MemoryPage.Shift; page++)
            {
                var number = (address >> MemoryPage.Shift) + (ulong)page;
                destination.Slice(page << MemoryPage.Shift, MemoryPage.Bytes).Fill((byte)(IsZero(number, runLength) ? 0 : number | 1));
            }

            return destination.Length >> MemoryPage.Shift;
        }
    }
}
