using System.Diagnostics;
using ContainerMigrate.Images;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Linux.Memory.LazyPages;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Memory;
using ContainerMigrate.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>A process whose memory the source has kept in part waits for it, and reads nothing else meanwhile. This process plays CRIU, the restored one, and the source.</summary>
[Collection(nameof(MeasuredAlone))]
public sealed class MissingMemoryTests : IDisposable
{
    private const int ProcessId = 7;
    private const int Pages = 1500;
    private const int FirstMissing = 100;
    private const int Missing = 1200;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly TestDirectory _directory = new();
    private readonly string _store;
    private readonly string _work;
    private readonly RestoredMemory _memory = new(Pages);
    private LazyRestore? _restore;
    private MissingMemory? _missing;

    public MissingMemoryTests()
    {
        _store = Path.Combine(_directory.Path, "store");
        _work = _directory.Make("work");
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _missing?.Dispose();
        if (_restore is not null)
        {
            Kill(_restore.ServerPid);
            _restore.Dispose();
        }

        _memory.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task WhoeverNeedsAPageThatTheSourceHasAsksForItAndWaits()
    {
        await StartAsync();
        ShouldHave(3); // was sent
        ShouldHave(FirstMissing + Missing); // so was this
        var reader = Task.Run(() => ShouldHave(700), Cancellation);

        var asked = (await _missing!.WaitForFaultsAsync(16, 64, Cancellation).WaitAsync(Limit, Cancellation)).ShouldHaveSingleItem();
        (asked.ProcessId, asked.Range.Address).ShouldBe((ProcessId, _memory.AddressOf(700)));
        asked.Range.PageCount.ShouldBeInRange(1UL, 16UL); // no further than the slab
        reader.IsCompleted.ShouldBeFalse();
        Arrive(asked.Range);
        await reader.WaitAsync(Limit, Cancellation);
        _missing.MissingBytes.ShouldBe((Missing - (long)asked.Range.PageCount) << MemoryPage.Shift);

        ArriveAll();
        (await _restore!.Completion.WaitAsync(Limit, Cancellation)).ShouldBeTrue(ServerLog());
        ShouldBeWhole();
        await _missing.NotNeeded.WaitAsync(Limit, Cancellation);
    }

    [Fact]
    public async Task TheNextServerAsksForWhatTheLastOneWasAskedFor()
    {
        await StartAsync();
        var reader = Task.Run(() => ShouldHave(500), Cancellation);
        await _missing!.WaitForFaultsAsync(1, 64, Cancellation).WaitAsync(Limit, Cancellation);
        var pid = _restore!.ServerPid;
        Kill(pid);

        var asked = (await _missing.WaitForFaultsAsync(1, 64, Cancellation).WaitAsync(Limit, Cancellation)).ShouldHaveSingleItem();
        asked.Range.ShouldBe(_memory.Range(500, 1));
        reader.IsCompleted.ShouldBeFalse();
        ArriveAll();
        await reader.WaitAsync(Limit, Cancellation);
        (await _restore.Completion.WaitAsync(Limit, Cancellation)).ShouldBeTrue(ServerLog());
        ShouldBeWhole();
    }

    [Fact]
    public async Task ADaemonThatIsStartedAnewKnowsWhatIsStillMissing()
    {
        await StartAsync();
        Arrive(_memory.Range(FirstMissing, 600));
        var reader = Task.Run(() => ShouldHave(900), Cancellation);
        await _missing!.WaitForFaultsAsync(1, 64, Cancellation).WaitAsync(Limit, Cancellation);
        _missing.Dispose();
        _restore!.Dispose();

        _restore = await LazyRestore.ResumeAsync(new ProcessRunner(), Program(), _store, _work, NullLogger.Instance, Cancellation);
        _missing = MissingMemory.Open(_store, _restore.ShouldNotBeNull()).ShouldNotBeNull();
        (_missing.TotalBytes, _missing.MissingBytes).ShouldBe((Missing << MemoryPage.Shift, (Missing - 600) << MemoryPage.Shift));
        (await _missing.WaitForFaultsAsync(1, 64, Cancellation).WaitAsync(Limit, Cancellation)).ShouldHaveSingleItem().Range.ShouldBe(_memory.Range(900, 1));
        reader.IsCompleted.ShouldBeFalse();
        ArriveAll();
        await reader.WaitAsync(Limit, Cancellation);
        (await _restore.Completion.WaitAsync(Limit, Cancellation)).ShouldBeTrue(ServerLog());
        ShouldBeWhole();
    }

    [Fact]
    public async Task PagesThatHoldZerosByNowDoNotReadAsWhatWasSentBefore()
    {
        await StartAsync();
        _missing!.WriteZero(ProcessId, _memory.Range(FirstMissing, Missing));
        _missing.MissingBytes.ShouldBe(0);
        (await _restore!.Completion.WaitAsync(Limit, Cancellation)).ShouldBeTrue(ServerLog());
        for (var page = FirstMissing; page < FirstMissing + Missing; page++)
        {
            RestoredMemory.HasContent(_memory.AddressOf(page), new byte[MemoryPage.Bytes]).ShouldBeTrue($"page {page}");
        }
    }

    [Fact]
    public async Task NothingIsLostThroughThatAPageComesTwice()
    {
        await StartAsync();
        Arrive(_memory.Range(FirstMissing, 10));
        Arrive(_memory.Range(FirstMissing, 20));
        _missing!.MissingBytes.ShouldBe((Missing - 20L) << MemoryPage.Shift);
        ArriveAll();
        (await _restore!.Completion.WaitAsync(Limit, Cancellation)).ShouldBeTrue(ServerLog());
        ShouldBeWhole();
    }

    private static string Program() => Path.Combine(AppContext.BaseDirectory, "ctmigrated");

    // One that was started by an earlier daemon has no number here; it ends when its pages are all there.
    private static void Kill(int pid)
    {
        if (pid == 0)
        {
            return;
        }

        try
        {
            Process.GetProcessById(pid).Kill();
        }
        catch (ArgumentException)
        {
            // It has ended by itself.
        }
    }

    private static void Content(int page, Span<byte> bytes)
    {
        bytes.Fill((byte)((page % 250) + 1));
        BitConverter.TryWriteBytes(bytes, page + 1);
    }

    private async Task StartAsync()
    {
        using (var pages = new PageStore(_store, Pages << MemoryPage.Shift, Pages << (MemoryPage.Shift + 1)))
        {
            var content = new byte[MemoryPage.Bytes];
            for (var page = 0; page < Pages; page++)
            {
                // What was sent ahead is out of date where the page is announced below.
                Content(page is >= FirstMissing and < FirstMissing + Missing ? page + 7777 : page, content);
                pages.Write(ProcessId, _memory.AddressOf(page), content);
            }

            pages.Miss(ProcessId, _memory.Range(FirstMissing, Missing));
            var images = _directory.Make("images");
            using (var stream = File.Create(PagemapInventory.PathOf(images, ProcessId)))
            {
                PagemapWriter.Write(new PagemapImage(1, PagemapLayout.Wide, [new PagemapEntry(_memory.Range(0, Pages), PagemapMarks.Lazy)]), stream);
            }

            (await pages.SealAsync(images, Cancellation)).MissingPages.ShouldBe(Missing);
        }

        _restore = await LazyRestore.StartAsync(new ProcessRunner(), Program(), _store, _work, NullLogger.Instance, Cancellation);
        _missing = MissingMemory.Open(_store, _restore).ShouldNotBeNull();
        _memory.Register(_work, ProcessId);
        _memory.Finish();
        await _restore.Restored.WaitAsync(Limit, Cancellation);
    }

    private void ArriveAll()
    {
        while (_missing!.FindRest(256, 1) is [var next])
        {
            Arrive(next.Range);
        }
    }

    private void Arrive(PageRange range)
    {
        var first = (int)((range.Address - _memory.Address) >> MemoryPage.Shift);
        var content = new byte[range.Bytes];
        for (var i = 0; i < (int)range.PageCount; i++)
        {
            Content(first + i, content.AsSpan(i << MemoryPage.Shift, MemoryPage.Bytes));
        }

        _missing!.Write(ProcessId, range.Address, content);
    }

    private void ShouldBeWhole()
    {
        for (var page = 0; page < Pages; page++)
        {
            ShouldHave(page);
        }
    }

    private void ShouldHave(int page)
    {
        Span<byte> expected = stackalloc byte[MemoryPage.Bytes];
        Content(page, expected);
        RestoredMemory.HasContent(_memory.AddressOf(page), expected).ShouldBeTrue($"page {page}; {ServerLog()}");
    }

    private string ServerLog() => File.Exists(LazyRestore.LogPath(_work)) ? File.ReadAllText(LazyRestore.LogPath(_work)) : "(the server wrote nothing)";
}
