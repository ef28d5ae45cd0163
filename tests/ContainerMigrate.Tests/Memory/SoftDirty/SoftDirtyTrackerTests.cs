using ContainerMigrate.Linux.Memory.SoftDirty;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory.SoftDirty;

/// <summary>What is special about soft-dirty bits. Needs a kernel that has them: <c>make test-vm</c> brings one.</summary>
[Trait("kernel", "soft-dirty")]
public sealed class SoftDirtyTrackerTests(ITestOutputHelper output)
{
    private const ulong TableBytes = 2 << 20;

    // Two regions of whole page tables that change places, and the pages' contents with them.
    private const string Regions = """
        room = mapped(512 * 8, NONE); room = (room + 0x1fffff) // 0x200000 * 0x200000; a, b, spare = room, room + 0x200000, room + 0x400000;
        [mapped(512, at=x) for x in (a, b)]; [advise(x, 512, 15) for x in (a, b)]; fill(a, 512, 7); fill(b, 512, 8)
        """;

    private const string Swap = "moved(a, 512, 512, spare); moved(b, 512, 512, a); moved(spare, 512, 512, b)";

    [Fact]
    public async Task IsTheOneThatIsChosenHere()
    {
        RequireSoftDirty();
        var availability = await new SoftDirtyTracker(new ProcessRunner()).GetAvailabilityAsync(TestContext.Current.CancellationToken);
        availability.ShouldBe(MemoryTrackerAvailability.Yes(MemoryTrackers.SoftDirty));
    }

    [Fact]
    public async Task FindsPagesThatWereMovedByThePageTable()
    {
        RequireSoftDirty();
        await using var victim = await Victim.StartAsync(tracker: MemoryTrackers.SoftDirty);
        await victim.RunAsync(Regions.ReplaceLineEndings(" "));
        var start = await victim.NumberAsync("a");
        await victim.RoundAsync();
        (await victim.WrittenAsync()).Overlaps(Both(start)).ShouldBeFalse();

        await victim.RunAsync(Swap);

        var written = await victim.WrittenAsync();
        written.Intersect(PageSet.Of(Both(start))).PageCount.ShouldBe(1024, "no page of them has its bit");
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task FindsPagesThatWereElsewhereWhileTheyWereRead()
    {
        RequireSoftDirty();
        await using var victim = await Victim.StartAsync(tracker: MemoryTrackers.SoftDirty);
        await victim.RunAsync(Regions.ReplaceLineEndings(" "));
        await victim.RoundAsync();
        await victim.RunAsync("put(a, 3, 1); put(b, 4, 2)");

        var scan = await victim.Tracking.ScanAsync(TestContext.Current.CancellationToken);
        await victim.RunAsync(Swap);
        victim.Copy.Apply(scan, victim.Tracking.Reader);
        await victim.RunAsync(Swap);

        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task StopsAMomentOnlyAndLeavesItRunning()
    {
        RequireSoftDirty();
        await using var victim = await Victim.StartAsync(tracker: MemoryTrackers.SoftDirty);
        await victim.RunAsync("a = mapped(65536); fill(a, 65536, 7)");

        (await victim.RoundAsync()).Stopped.ShouldBe(TimeSpan.Zero, "all is sent at first, whatever is written meanwhile");
        for (var round = 0; round < 5; round++)
        {
            await victim.RunAsync("put(a, 77, 1)");
            var scan = await victim.RoundAsync();
            output.WriteLine($"256 MiB: frozen for {scan.Stopped.TotalMilliseconds:0.0} ms, {scan.PageCount} pages");
            scan.Stopped.ShouldBeGreaterThan(TimeSpan.Zero);
            File.ReadAllText(victim.Cgroup + "/cgroup.freeze").ShouldStartWith("0");
        }
    }

    [Fact]
    public async Task DoesNotThawWhatSomebodyElseHasFrozen()
    {
        RequireSoftDirty();
        await using var victim = await Victim.StartAsync(tracker: MemoryTrackers.SoftDirty);
        await victim.RoundAsync();
        await victim.Freezer.FreezeAsync(victim.Cgroup, TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        (await victim.RoundAsync()).Stopped.ShouldBe(TimeSpan.Zero);
        (await victim.RoundAsync()).Stopped.ShouldBe(TimeSpan.Zero);

        victim.Freezer.IsFrozen(victim.Cgroup).ShouldBeTrue();
        await victim.Freezer.ThawAsync(victim.Cgroup, TestContext.Current.CancellationToken);
        await victim.RunAsync("a = mapped(5); put(a, 2, 3)");
        await victim.CompareFrozenAsync();
    }

    private static AddressRange Both(ulong start) => new(start, start + (2 * TableBytes));

    private static void RequireSoftDirty() =>
        Assert.SkipUnless(ContainerMigrate.Linux.Host.MemoryTrackingProbe.Read().SoftDirty, "this kernel has no soft-dirty bits; `make test-vm` runs this with one that has");
}
