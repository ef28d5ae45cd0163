using ContainerMigrate.Memory;
using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>What a destination may ask for, and what it takes for an answer.</summary>
public sealed class RemainingMemoryTests
{
    private const int Process = 7;
    private static readonly PageRange Announced = new(0x10_0000, 64);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task GivesWhatItHasAnnouncedAsOftenAsItIsAskedFor()
    {
        using var memory = Memory();
        for (var i = 0; i < 2; i++)
        {
            var request = new PageRequest(Process, Announced with { Address = Announced.Address + (4 << MemoryPage.Shift), PageCount = 3 });
            var table = new PageTable();
            var sink = new RequestedPages([request], table, () => { });
            using var answer = await AskAsync(memory, w => w.MissAsync(Process, request.Range));
            await PageStreamReader.ReadAsync(answer, sink, Token);
            sink.IsComplete.ShouldBeTrue();
            sink.DroppedPages.ShouldBe(0);
        }
    }

    [Theory]
    [InlineData(8, 0x10_0000, 1)] // another process
    [InlineData(Process, 0xF_F000, 2)] // from before the first page
    [InlineData(Process, 0x10_0000, 65)] // beyond the last
    [InlineData(Process, 0x20_0000, 1)]
    public async Task RefusesWhatWasNeverAnnounced(int process, ulong address, ulong pages)
    {
        using var memory = Memory();
        (await Should.ThrowAsync<InvalidDataException>(() => AskAsync(memory, w => w.MissAsync(process, new PageRange(address, pages))))).Message.ShouldContain("never announced");
    }

    [Fact]
    public async Task RefusesToBeAskedForTooMuchAtOnce()
    {
        using var memory = Memory();
        (await Should.ThrowAsync<InvalidDataException>(() => AskAsync(memory, async w =>
        {
            for (var i = 0; i < 1 + (RemainingMemory.MaxRequestedPages / 64); i++)
            {
                await w.MissAsync(Process, Announced);
            }
        }))).Message.ShouldContain("at once");
    }

    [Fact]
    public async Task RefusesARequestThatIsNone()
    {
        using var memory = Memory();
        await Should.ThrowAsync<InvalidDataException>(() => AskAsync(memory, w => w.DropAsync(Process, Announced)));
        await Should.ThrowAsync<InvalidDataException>(() => AskAsync(memory, w => w.WriteZeroAsync(Process, Announced)));
        using var noise = new MemoryStream(new byte[100]);
        using var answer = new MemoryStream();
        await Should.ThrowAsync<InvalidDataException>(() => memory.AnswerAsync(noise, answer, urgent: false, Token));
        answer.Length.ShouldBe(0);
    }

    [Fact]
    public void ForeignPeersFindNothing()
    {
        using var all = new RemainingMemories();
        all.Add("id", Memory());
        all.Find("id", "h2").ShouldNotBeNull();
        all.Find("id", "h3").ShouldBeNull();
        all.Find("other", "h2").ShouldBeNull();
        all.Remove("id");
        all.Find("id", "h2").ShouldBeNull();
    }

    [Fact]
    public void AnswersBringNothingThatWasNotAskedFor()
    {
        var sink = new RequestedPages([new PageRequest(Process, Announced with { PageCount = 2 })], new PageTable(), () => { });
        var page = new byte[MemoryPage.Bytes];
        Should.Throw<InvalidDataException>(() => sink.Write(8, Announced.Address, page));
        Should.Throw<InvalidDataException>(() => sink.Write(Process, Announced.Address, new byte[3 * MemoryPage.Bytes]));
        Should.Throw<InvalidDataException>(() => sink.WriteZero(Process, new PageRange(Announced.Address + 0x2000, 1)));
        sink.Write(Process, Announced.Address, page);
        Should.Throw<InvalidDataException>(() => sink.Write(Process, Announced.Address, page)); // twice
        sink.IsComplete.ShouldBeFalse();
        sink.Drop(Process, new PageRange(Announced.Address + 0x1000, 1));
        (sink.IsComplete, sink.DroppedPages).ShouldBe((true, 1));
    }

    [Fact]
    public void AnAnnouncementIsNoPlaceForPagesThatWereToBeSent() =>
        Should.Throw<InvalidDataException>(() => ((IPageSink)new RequestedPages([], new PageTable(), () => { })).Miss(Process, Announced));

    private static RemainingMemory Memory() =>
        new("h2", new Dictionary<int, PageSet> { [Process] = PageSet.Of(new AddressRange(Announced.Address, Announced.End)) }, new Pages(), new BandwidthLimit(null, TimeProvider.System));

    private static async Task<MemoryStream> AskAsync(RemainingMemory memory, Func<PageStreamWriter, ValueTask> write)
    {
        using var request = new MemoryStream();
        await using (var writer = new PageStreamWriter(request, Token))
        {
            await write(writer);
            await writer.CompleteAsync();
        }

        request.Position = 0;
        var answer = new MemoryStream();
        await memory.AnswerAsync(request, answer, urgent: true, Token);
        answer.Position = 0;
        return answer;
    }

    private sealed class Pages : IFrozenPages
    {
        public int Read(int processId, ulong address, Span<byte> destination)
        {
            destination.Fill(0x5A);
            return destination.Length >> MemoryPage.Shift;
        }

        public void Dispose()
        {
        }
    }
}
