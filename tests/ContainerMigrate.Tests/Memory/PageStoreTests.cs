using ContainerMigrate.Images;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Memory;
using ContainerMigrate.Tests.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>What a store has been told is what a restore gets from it: no page more, none less, each at its place once.</summary>
public sealed class PageStoreTests : IDisposable
{
    private const int Process = 7;
    private const long Limit = 64 << 20;
    private const ulong Base = 0x7f00_0010_0000; // 256 pages before the end of its slab

    private readonly TestDirectory _directory = new();
    private readonly PageStore _store;
    private readonly PageTable _truth = new();

    public PageStoreTests() => _store = new PageStore(_directory.Make("store"), Limit, Limit);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string Images => _directory.Make("images");

    public void Dispose()
    {
        _store.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task PagesThatComeAgainTakeTheirPlaceAndNoMoreRoom()
    {
        for (var round = 0; round < 5; round++)
        {
            Write(0, 2000, 1000 * round);
        }

        Write(300, 5, 77_000);
        new FileInfo(StoreFiles.Pages(_store.Path, Process)).Length.ShouldBeLessThan((2000 << MemoryPage.Shift) + (2 * PageSlab.Bytes));
        await CompletedAsync([Lazy(0, 2000)]);
    }

    [Fact]
    public async Task PagesThatBecomeZeroGiveTheirSpaceBack()
    {
        Write(0, 2000, 0);
        var before = BlocksOf(StoreFiles.Pages(_store.Path, Process));
        _store.WriteZero(Process, Range(100, 1500));
        _truth.WriteZero(Process, Range(100, 1500));
        BlocksOf(StoreFiles.Pages(_store.Path, Process)).ShouldBeLessThanOrEqualTo(before - (1500 * 8));

        Write(200, 3, 500);
        (await _store.SealAsync(Recorded([Lazy(0, 2000)]), Cancellation)).ShouldBe(new StoreTotals(1, 503, 1497));
        await CompletedAsync([Lazy(0, 2000)]);
    }

    [Fact]
    public async Task APageThatWasSentAndIsNotInTheDumpDoesNotComeBack()
    {
        Write(0, 1000, 0);
        await _store.SealAsync(Recorded([Lazy(10, 2), Present(500, 1), Lazy(700, 3)]), Cancellation);

        var slabs = SealedIndex.ReadFrom(StoreFiles.Index(_store.Path, Process)).Slabs;
        Pages(slabs).ShouldBe([10, 11, 700, 701, 702]);
    }

    [Fact]
    public async Task APageThatNeverCameIsMissed()
    {
        Write(0, 10, 0);
        (await Should.ThrowAsync<InvalidDataException>(() => _store.SealAsync(Recorded([Lazy(0, 10), Lazy(20, 3)]), Cancellation)))
            .Message.ShouldBe($"the images leave out 3 pages at {Base + (20 << MemoryPage.Shift):x} of process 7, and they did not arrive");

        _store.Drop(Process, Range(5, 1));
        await Should.ThrowAsync<InvalidDataException>(() => _store.SealAsync(Recorded([Lazy(0, 10)]), Cancellation));
        await Should.ThrowAsync<InvalidDataException>(() => _store.CompleteAsync(Recorded([Lazy(0, 10)]), Cancellation));
    }

    [Fact]
    public async Task CompletedImagesHoldThePagesInTheirOrder()
    {
        Write(0, 600, 0);
        _store.WriteZero(Process, Range(50, 2));
        _truth.WriteZero(Process, Range(50, 2));
        var present = PageTable.Page(12345);
        _truth.Write(Process, Base + (100UL << MemoryPage.Shift), present);
        await CompletedAsync([Lazy(10, 3), Lazy(50, 4), Present(100, 1), Lazy(240, 40), Present(599, 1)], present, PageOf(599));
    }

    [Fact]
    public void MoreThanWasAnnouncedIsRefused()
    {
        var pages = new byte[1 << 20];
        Should.Throw<InvalidDataException>(() =>
        {
            for (var i = 0UL; i <= (Limit >> 20); i++)
            {
                _store.Write(Process, Base + (i << 20), pages);
            }
        }).Message.ShouldBe("more memory than the 64 MiB that were announced");
        Should.Throw<InvalidDataException>(() => _store.WriteZero(8, new PageRange(0, 1 << 29)));
    }

    [Fact]
    public void AStoreThatWouldNotFitIsNotBegun() =>
        Should.Throw<IOException>(() => new PageStore(_directory.Make("large"), long.MaxValue, long.MaxValue)).Message.ShouldContain("has room for");

    [Fact]
    public async Task RandomRoundsEndLikeTheirLastPages()
    {
        var random = new Random(4711);
        for (var step = 0; step < 2000; step++)
        {
            var (first, count) = (random.Next(3000), random.Next(1, 40));
            switch (random.Next(4))
            {
                case 0:
                    _store.WriteZero(Process, Range(first, count));
                    _truth.WriteZero(Process, Range(first, count));
                    break;
                case 1:
                    _store.Drop(Process, Range(first, count));
                    _truth.Drop(Process, Range(first, count));
                    break;
                default:
                    Write(first, count, step * 100);
                    break;
            }
        }

        var known = _truth.Pages.Keys.Select(k => (int)((k.Address - Base) >> MemoryPage.Shift)).Order();
        await CompletedAsync([.. known.Select(page => Lazy(page, 1))]);
    }

    private static PagemapEntry Lazy(int page, int count) => new(Range(page, count), PagemapMarks.Lazy);

    private static PagemapEntry Present(int page, int count) => new(Range(page, count), PagemapMarks.Present);

    private static PageRange Range(int page, int count) => new(Base + ((ulong)page << MemoryPage.Shift), (ulong)count);

    private static IEnumerable<int> Pages(IEnumerable<PageSlab> slabs) =>
        from slab in slabs
        from page in Enumerable.Range(0, PageSlab.Pages)
        where slab.Data.Contains(page)
        select (int)((slab.Address + ((ulong)page << MemoryPage.Shift) - Base) >> MemoryPage.Shift);

    // st_blocks, in 512 bytes.
    private static long BlocksOf(string path)
    {
        using var stat = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("stat", ["-c", "%b", path]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        return long.Parse(stat.StandardOutput.ReadToEnd());
    }

    private byte[] PageOf(int page) => _truth.Pages[(Process, Base + ((ulong)page << MemoryPage.Shift))];

    private void Write(int first, int count, int seed)
    {
        _truth.Fill(Process, Range(first, count).Address, count, i => PageTable.Page(seed + i));
        var pages = new byte[count << MemoryPage.Shift];
        _truth.Read(Process, Range(first, count).Address, pages);
        _store.Write(Process, Range(first, count).Address, pages);
    }

    private string Recorded(PagemapEntry[] entries, params byte[][] present)
    {
        var images = Images;
        using var stream = File.Create(PagemapInventory.PathOf(images, Process));
        PagemapWriter.Write(new PagemapImage(3, PagemapLayout.Wide, entries), stream);
        File.WriteAllBytes(Path.Combine(images, "pages-3.img"), present.SelectMany(p => p).ToArray());
        return images;
    }

    private async Task CompletedAsync(PagemapEntry[] entries, params byte[][] present)
    {
        var images = Recorded(entries, present);
        await _store.CompleteAsync(images, Cancellation);

        var image = PagemapReader.ReadFile(PagemapInventory.PathOf(images, Process));
        image.Entries.Select(e => e.Range).ShouldBe(entries.Select(e => e.Range));
        image.Entries.ShouldAllBe(e => e.IsPresent);
        var pages = File.ReadAllBytes(Path.Combine(images, image.PageFileName));
        var expected = new byte[entries.Sum(e => (int)e.Range.Bytes)];
        var position = 0;
        foreach (var entry in entries)
        {
            _truth.Read(Process, entry.Range.Address, expected.AsSpan(position, (int)entry.Range.Bytes)).ShouldBe((int)entry.Range.PageCount);
            position += (int)entry.Range.Bytes;
        }

        pages.AsSpan().SequenceEqual(expected).ShouldBeTrue();
    }
}
