using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>A program that does one thing after the other, and what a scan says of it.</summary>
public sealed class MemoryTrackerTests(ITestOutputHelper output)
{
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
        process.Written.Contains(start + (99 * MemoryPage.Bytes)).ShouldBeTrue();
        output.WriteLine($"stopped for {first.Stopped.TotalMilliseconds:0.000} ms");

        await victim.RunAsync("put(a, 41, 9)");
        var written = await victim.WrittenAsync();
        Offsets(written, start, 100).ShouldBe([41]);

        Offsets(await victim.WrittenAsync(), start, 100).ShouldBeEmpty();
        (await victim.CompareFrozenAsync()).ShouldBeGreaterThan(100);
    }

    private static int[] Offsets(PageSet set, ulong start, int pages) =>
        [.. Enumerable.Range(0, pages).Where(i => set.Contains(start + ((ulong)i * MemoryPage.Bytes)))];
}
