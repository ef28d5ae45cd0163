using ContainerMigrate.Tests.Storage;
using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>Pages go through a stream and are the same on its other end.</summary>
[Collection(nameof(MeasuredAlone))]
public sealed class PageStreamTests
{
    private readonly PageTable _source = new();
    private readonly PageTable _sink = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task PagesOfSeveralProcessesArrive()
    {
        _source.Fill(1, 0x10000, 700, PageTable.Page);
        _source.Fill(2, 0x7f00_0000_0000, 3, i => PageTable.Page(1000 + i));

        var bytes = await SendAsync(async w =>
        {
            await w.WriteAsync(1, new PageRange(0x10000, 700), _source);
            await w.WriteAsync(2, new PageRange(0x7f00_0000_0000, 3), _source);
        });

        (await ReceiveAsync(bytes)).ShouldBe(new PageStreamTotals(703, 0, 0));
        ShouldHaveArrived();
    }

    [Fact]
    public async Task ZerosTakeNoRoomWhereverTheyAre()
    {
        _source.Fill(1, 0x10000, 5000, i => i % 1000 is 0 or 17 or 18 ? PageTable.Page(i) : PageTable.ZeroPage());

        var bytes = await SendAsync(w => w.WriteAsync(1, new PageRange(0x10000, 5000), _source));

        bytes.Length.ShouldBeLessThan((15 * MemoryPage.Bytes) + 4000);
        (await ReceiveAsync(bytes)).ShouldBe(new PageStreamTotals(15, 4985, 0));
        ShouldHaveArrived();
    }

    [Fact]
    public async Task SinglePagesShareFrames()
    {
        await SendAsync(async w =>
        {
            for (var i = 0; i < 3000; i++)
            {
                var range = new PageRange(0x10000 + ((ulong)i * 3 << MemoryPage.Shift), 1);
                _source.Fill(1, range.Address, 1, _ => PageTable.Page(i));
                await w.WriteAsync(1, range, _source);
            }

            w.BytesSent.ShouldBeLessThan(3000 * (MemoryPage.Bytes + 24));
        }).ContinueWith(async bytes => await ReceiveAsync(await bytes), TaskScheduler.Default).Unwrap();
        ShouldHaveArrived();
    }

    [Fact]
    public async Task AlternatingPagesFillTablesAndAreNotLost()
    {
        _source.Fill(1, 0x10000, 9000, i => i % 2 == 0 ? PageTable.Page(i) : PageTable.ZeroPage());
        await ReceiveAsync(await SendAsync(w => w.WriteAsync(1, new PageRange(0x10000, 9000), _source)));
        ShouldHaveArrived();
    }

    [Fact]
    public async Task ALaterContentCounts()
    {
        _source.Fill(1, 0x10000, 10, PageTable.Page);
        var bytes = await SendAsync(async w =>
        {
            await w.WriteAsync(1, new PageRange(0x10000, 10), _source);
            _source.Fill(1, 0x12000, 2, i => PageTable.Page(100 + i));
            await w.WriteAsync(1, new PageRange(0x12000, 2), _source);
        });
        await ReceiveAsync(bytes);
        ShouldHaveArrived();
    }

    [Fact]
    public async Task PagesThatWentAwayMeanwhileAreDroppedOnTheOtherSide()
    {
        _sink.Fill(1, 0x10000, 100, PageTable.Page);
        _source.Fill(1, 0x10000, 100, i => PageTable.Page(i + 1));
        _source.Drop(1, new PageRange(0x10000 + (30 << MemoryPage.Shift), 7));

        var bytes = await SendAsync(async w =>
        {
            await w.WriteAsync(1, new PageRange(0x10000, 100), _source);
            await w.DropAsync(1, new PageRange(0x40_0000, 2));
            await w.WriteZeroAsync(1, new PageRange(0x50_0000, 4));
        });

        (await ReceiveAsync(bytes)).ShouldBe(new PageStreamTotals(93, 4, 9));
        _source.WriteZero(1, new PageRange(0x50_0000, 4));
        ShouldHaveArrived();
    }

    [Fact]
    public async Task AnEmptyStreamHasItsEnd() => (await ReceiveAsync(await SendAsync(_ => ValueTask.CompletedTask))).ShouldBe(default);

    [Fact]
    public async Task WhatFollowsTheStreamIsLeftAlone()
    {
        _source.Fill(1, 0x10000, 3, PageTable.Page);
        var stream = new MemoryStream([.. await SendAsync(w => w.WriteAsync(1, new PageRange(0x10000, 3), _source)), 42]);
        await PageStreamReader.ReadAsync(stream, _sink, Cancellation);
        stream.ReadByte().ShouldBe(42);
    }

    [Fact]
    public async Task ABrokenDestinationIsReportedAndDoesNotHang()
    {
        _source.Fill(1, 0x10000, 3000, PageTable.Page);
        await using var broken = new BrokenStream();
        await using var writer = new PageStreamWriter(broken, Cancellation);
        await Should.ThrowAsync<IOException>(async () =>
        {
            await writer.WriteAsync(1, new PageRange(0x10000, 3000), _source);
            await writer.CompleteAsync();
        });
    }

    [Fact]
    public async Task EveryTruncationAndEveryChangedByteIsRefused()
    {
        _source.Fill(1, 0x10000, 4, i => i == 2 ? PageTable.ZeroPage() : PageTable.Page(i));
        var bytes = await SendAsync(w => w.WriteAsync(1, new PageRange(0x10000, 4), _source));
        for (var length = 0; length < bytes.Length; length += length < 100 || length > bytes.Length - 100 ? 1 : 97)
        {
            await Should.ThrowAsync<InvalidDataException>(() => ReceiveAsync(bytes[..length]));
        }

        for (var position = 0; position < bytes.Length; position += position < 100 || position > bytes.Length - 100 ? 1 : 97)
        {
            var changed = (byte[])bytes.Clone();
            changed[position] ^= 0x41;
            await Should.ThrowAsync<InvalidDataException>(() => ReceiveAsync(changed));
        }
    }

    [Fact]
    public async Task AStreamCostsNoMemoryForItsPages()
    {
        var zeros = new EndlessPages();
        await SendToNullAsync(zeros); // what is made once
        var before = GC.GetTotalAllocatedBytes(precise: true);
        await SendToNullAsync(zeros);
        var allocated = GC.GetTotalAllocatedBytes(precise: true) - before;
        TestContext.Current.SendDiagnosticMessage($"256 MiB of pages: {allocated} bytes allocated");
        allocated.ShouldBeLessThan(1024 * 1024); // 65536 pages, 16 bytes each
    }

    private static async Task SendToNullAsync(IPageSource source)
    {
        await using var writer = new PageStreamWriter(Stream.Null, Cancellation);
        await writer.WriteAsync(1, new PageRange(0x10000, 65536), source);
        await writer.CompleteAsync();
    }

    private static async Task<byte[]> SendAsync(Func<PageStreamWriter, ValueTask> send)
    {
        using var stream = new MemoryStream();
        await using var writer = new PageStreamWriter(stream, Cancellation);
        await send(writer);
        await writer.CompleteAsync();
        return stream.ToArray();
    }

    private Task<PageStreamTotals> ReceiveAsync(byte[] bytes) => PageStreamReader.ReadAsync(new MemoryStream(bytes), _sink, Cancellation);

    private void ShouldHaveArrived()
    {
        _sink.Pages.Keys.Order().ShouldBe(_source.Pages.Keys.Order());
        foreach (var (key, page) in _source.Pages)
        {
            _sink.Pages[key].AsSpan().SequenceEqual(page).ShouldBeTrue($"{key.Address:x}");
        }
    }

    private sealed class EndlessPages : IPageSource
    {
        public int Read(int processId, ulong address, Span<byte> destination)
        {
            destination.Fill(1);
            return destination.Length >> MemoryPage.Shift;
        }
    }

    private sealed class BrokenStream : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            Length > 1_000_000 ? throw new IOException("the link is gone") : base.WriteAsync(buffer, cancellationToken);
    }
}
