using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>A program that does one thing after the other to its memory, and what scans say of it.</summary>
public sealed class MemoryTrackerTests(ITestOutputHelper output)
{
    private const int PageBytes = MemoryPage.Bytes;

    [Fact]
    public async Task ReportsEverythingFirstAndThenWhatWasWritten()
    {
        await using var victim = await Victim.StartAsync();
        var start = await victim.NumberAsync("a := mapped(100)");
        await victim.RunAsync("fill(a, 100, 7)");

        var first = await victim.RoundAsync();
        var process = first.Processes.ShouldHaveSingleItem();
        process.NotTracked.ShouldBeNull();
        process.IsNew.ShouldBeTrue();
        Offsets(process.Written, start, 100).Length.ShouldBe(100);
        output.WriteLine($"stopped for {first.Stopped.TotalMilliseconds:0.000} ms");

        await victim.RunAsync("put(a, 41, 9)");
        Offsets(await victim.WrittenAsync(), start, 100).ShouldBe([41]);
        Offsets(await victim.WrittenAsync(), start, 100).ShouldBeEmpty();
        (await victim.CompareFrozenAsync()).ShouldBeGreaterThan(100);
    }

    [Fact]
    public async Task DoesNotReportPagesThatWereOnlyRead()
    {
        await using var victim = await Victim.StartAsync();
        var start = await victim.NumberAsync("a := mapped(50)");
        await victim.RunAsync("[get(a, i) for i in range(50)]");

        Offsets(await victim.WrittenAsync(), start, 50).ShouldBeEmpty("the kernel's zero page is nobody's content");
        await victim.RunAsync("put(a, 5, 1)");
        Offsets(await victim.WrittenAsync(), start, 50).ShouldBe([5]);
    }

    [Fact]
    public async Task FindsMappingsMadeBetweenScansAlsoInAnOldPlace()
    {
        await using var victim = await Victim.StartAsync();
        var start = await victim.NumberAsync("a := mapped(60)");
        await victim.RunAsync("fill(a, 60, 7)");
        await victim.RoundAsync();

        await victim.RunAsync("unmap(a + 10 * P, 20); mapped(20, at=a + 10 * P); put(a, 15, 3)");
        var written = Offsets(await victim.WrittenAsync(), start, 60);
        (victim.FindsPages ? written : written.Where(i => i is >= 10 and < 30)).ShouldBe([15]);
        Offsets(await victim.WrittenAsync(), start, 60).ShouldBeEmpty("the new mapping is tracked as well");
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task ReportsMovedPagesWhereTheyAreNow()
    {
        await using var victim = await Victim.StartAsync();
        await victim.RunAsync("a = mapped(60); fill(a, 60, 7); room = mapped(200, NONE)");
        await victim.RoundAsync();

        var moved = await victim.NumberAsync("b := moved(a, 60, 60, room + 50 * P)");
        Offsets(await victim.WrittenAsync(), moved, 60).Length.ShouldBe(60);
        await victim.RunAsync("put(b, 7, 8)");
        Offsets(await victim.WrittenAsync(), moved, 60).ShouldBe([7]);
        await victim.RunAsync("b = moved(b, 60, 30)");
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task KeepsTrackOfAMappingThatAnotherOneIsMovedTo()
    {
        await using var victim = await Victim.StartAsync();
        await victim.RunAsync("room = mapped(100, NONE); a = mapped(10, at=room + 10 * P); fill(a, 10, 7); b = mapped(5); protect(b, 5, R); protect(b, 5, RW)");
        var start = await victim.NumberAsync("a");
        await victim.RoundAsync();

        await victim.RunAsync("moved(b, 5, 5, room + 20 * P); put(a, 3, 1)");
        Offsets(await victim.WrittenAsync(), start, 10).ShouldContain(3);
        await victim.RunAsync("put(a, 3, 2)");
        Offsets(await victim.WrittenAsync(), start, 10).ShouldBe([3]);
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task SeesWritesBetweenTwoChangesOfProtection()
    {
        await using var victim = await Victim.StartAsync();
        var start = await victim.NumberAsync("a := mapped(30)");
        await victim.RunAsync("fill(a, 30, 7); protect(a, 30, R)");
        await victim.RoundAsync();

        await victim.RunAsync("protect(a, 30, RW); put(a, 4, 1); protect(a, 30, R)");
        Offsets(await victim.WrittenAsync(), start, 30).ShouldBe([4]);
        await victim.RunAsync("protect(a, 30, RW); put(a, 5, 1); protect(a, 30, NONE)");
        Offsets(await victim.WrittenAsync(), start, 30).ShouldBe([5]);
        await victim.CompareFrozenAsync();
    }

    [Theory]
    [InlineData("DONTNEED")]
    [InlineData("FREE")]
    public async Task FollowsPagesThatAreGivenUp(string advice)
    {
        await using var victim = await Victim.StartAsync();
        var start = await victim.NumberAsync("a := mapped(40)");
        await victim.RunAsync("fill(a, 40, 7)");
        await victim.RoundAsync();

        await victim.RunAsync($"advise(a, 20, {advice}); put(a, 3, 9)");
        Offsets(await victim.WrittenAsync(), start, 40).ShouldBe([3]);
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task ReportsOfFilesOnlyWhatTheProgramHasChanged()
    {
        await using var victim = await Victim.StartAsync();
        var start = await victim.NumberAsync("a := mapped(20, RW, 2, None, os.open('/bin/sh', os.O_RDONLY))");
        await victim.RunAsync("[get(a, i) for i in range(20)]; put(a, 2, 1); put(a, 3, 1)");

        OfFiles(await victim.RoundAsync(), start, 20).ShouldBe([2, 3]);
        await victim.RunAsync("put(a, 8, 1)");
        OfFiles(await victim.RoundAsync(), start, 20).ShouldBe([8]);

        // Given up, they are the file's again; CRIU may still take them for pages in the swap.
        await victim.RunAsync("advise(a, 20, DONTNEED); put(a, 3, 5)");
        var written = OfFiles(await victim.RoundAsync(), start, 20);
        written.ShouldContain(3);
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task TracksSmallPagesInsideAHugeOne()
    {
        await using var victim = await Victim.StartAsync();
        await victim.RunAsync("a = mapped(1536); a = (a + 0x1fffff) // 0x200000 * 0x200000; advise(a, 512, HUGEPAGE); fill(a, 512, 7)");
        var start = await victim.NumberAsync("a");
        Assert.SkipUnless(File.ReadAllText($"/proc/{victim.ProcessId}/smaps_rollup").Split('\n').Any(l => l.StartsWith("AnonHugePages:", StringComparison.Ordinal) && !l.EndsWith(" 0 kB", StringComparison.Ordinal)), "no transparent huge page to be had");

        Offsets(await victim.WrittenAsync(), start, 512).Length.ShouldBe(512);
        await victim.RunAsync("put(a, 300, 9)");
        Offsets(await victim.WrittenAsync(), start, 512).ShouldBe(victim.FindsPages ? [300] : Enumerable.Range(0, 512));
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task FollowsAGrowingHeapAndNewThreads()
    {
        await using var victim = await Victim.StartAsync();
        await victim.RoundAsync();
        await victim.RunAsync("c.sbrk.restype = ctypes.c_void_p; h = c.sbrk(64 * P); fill(h, 60, 5)");
        await victim.RunAsync("threads = [threading.Thread(target=lambda: [put(mapped(9), 4, 3), time.sleep(1000)], daemon=True) for _ in range(20)]; [t.start() for t in threads]");
        await victim.RoundAsync();
        await victim.RunAsync("put(h, 60, 6); h2 = c.sbrk(64 * P); fill(h2, 60, 5)");

        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task FollowsAGrowingStack()
    {
        await using var victim = await Victim.StartAsync();
        await victim.RoundAsync();
        await victim.RunAsync("deep = []; [deep := [deep] for _ in range(900)]; sys.setrecursionlimit(4000)");
        for (var depth = 0; depth < 3; depth++)
        {
            await victim.RunAsync("len(repr(deep))");
            await victim.RoundAsync();
        }

        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task TracksHugetlbPages()
    {
        Assert.SkipUnless(File.ReadLines("/proc/meminfo").Any(l => l.StartsWith("HugePages_Free:", StringComparison.Ordinal) && !l.EndsWith(" 0", StringComparison.Ordinal)), "no huge pages are set aside on this machine (vm.nr_hugepages)");
        await using var victim = await Victim.StartAsync();
        await victim.RunAsync("a = mapped(1024, RW, PRIVATE | 0x40000); fill(a, 1024, 7)");
        await victim.RoundAsync();

        await victim.RunAsync("put(a, 700, 9)");
        (await victim.RoundAsync()).PageCount.ShouldBeLessThan(900);
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task SharesNothingWithTheProgramThatWasThereBeforeExec()
    {
        await using var victim = await Victim.StartAsync();
        await victim.RunAsync("a = mapped(60); fill(a, 60, 7)");
        await victim.RoundAsync();

        await victim.ReplaceProgramAsync();
        var replaced = (await victim.RoundAsync()).Processes.ShouldHaveSingleItem();
        replaced.IsNew.ShouldBeTrue();
        replaced.NotTracked.ShouldBeNull();
        var start = await victim.NumberAsync("a := mapped(10)");
        await victim.RunAsync("put(a, 6, 1)");
        Offsets(await victim.WrittenAsync(), start, 10).ShouldBe([6]);
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task AttachesChildrenAndTellsOfTheirEnd()
    {
        await using var victim = await Victim.StartAsync();
        var start = await victim.NumberAsync("a := mapped(60)");
        await victim.RunAsync("fill(a, 60, 7)");
        await victim.RoundAsync();

        var child = int.Parse(await victim.RunAsync("child(lambda: put(a, 3, 1))"));
        await victim.RunAsync("put(a, 5, 2)");
        var scan = await victim.RoundAsync();
        Offsets(scan.Processes.Single(p => p.Process.HostId == victim.ProcessId).Written, start, 60).ShouldBe([5]);
        var born = scan.Processes.Single(p => p.Process.HostId == child);
        (born.IsNew, born.NotTracked).ShouldBe((true, null));
        Offsets(born.Written, start, 60).Length.ShouldBe(60);
        await victim.CompareFrozenAsync();

        await victim.RunAsync($"gone({child})");
        (await victim.RoundAsync()).Ended.Select(e => e.HostId).ShouldBe([child]);
    }

    [Fact]
    public async Task ReportsMemoryOfTwoProcessesThatHaveTheSameOnce()
    {
        await using var victim = await Victim.StartAsync();
        await victim.RoundAsync();
        var clone = int.Parse(await victim.RunAsync("clone()"));

        var shared = (await victim.RoundAsync()).Processes.Single(p => p.Process.HostId == clone);
        shared.SharesMemoryOf?.HostId.ShouldBe(victim.ProcessId);
        shared.Written.IsEmpty.ShouldBeTrue();
        await victim.RunAsync($"gone({clone})");
        (await victim.RoundAsync()).Processes.ShouldHaveSingleItem().IsNew.ShouldBeFalse();
    }

    [Fact]
    public async Task KnowsAProcessByItsNumberInItsOwnNamespace()
    {
        await using var victim = await Victim.StartAsync(seed: null, "unshare", "-p", "-f", "--kill-child");

        var process = (await victim.RoundAsync()).Processes.Single(p => p.Process.HostId == victim.ProcessId).Process;
        process.InnerId.ToString().ShouldBe(await victim.RunAsync("os.getpid()"));
    }

    private static int[] OfFiles(MemoryScan scan, ulong start, int pages) => Offsets(scan.Processes.Single().WrittenOfFiles, start, pages);

    private static int[] Offsets(PageSet set, ulong start, int pages) =>
        [.. Enumerable.Range(0, pages).Where(i => set.Contains(start + ((ulong)i * PageBytes)))];
}
