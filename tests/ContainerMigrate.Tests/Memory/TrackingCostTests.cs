using System.Diagnostics;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Memory;
using ContainerMigrate.Tests.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>Prints what tracking costs here; other things run on the machine, so nothing is asserted about time.</summary>
[Collection(nameof(MeasuredAlone))]
public sealed class TrackingCostTests(ITestOutputHelper output)
{
    private static readonly CancellationToken Cancellation = TestContext.Current.CancellationToken;

    [Fact]
    public async Task OfOneGibibyte()
    {
        await using var victim = await Victim.StartAsync();
        await victim.RunAsync("a = mapped(262144); fill(a, 262144, 7)");
        var (first, firstTime) = await ScanAsync(victim);
        output.WriteLine($"first scan of {first.PageCount} pages: {firstTime:0.0} ms, of which stopped {first.Stopped.TotalMilliseconds:0.000} ms");
        for (var i = 0; i < 3; i++)
        {
            await victim.RunAsync("[put(a, i, 9) for i in range(0, 262144, 100)]");
            var (scan, time) = await ScanAsync(victim);
            output.WriteLine($"next scan, {scan.PageCount} pages written: {time:0.0} ms");
        }

        var pages = first.Processes.Single().Written;
        pages.PageCount.ShouldBeGreaterThan(262143);
        var buffer = new byte[1 << 20];
        var missing = new PageSet();
        foreach (var batch in (int[])[256, 16, 1])
        {
            var clock = Stopwatch.StartNew();
            var bytes = Read(victim, pages, buffer, batch, missing);
            output.WriteLine($"reading in calls of 1 MiB, ranges of {batch} pages: {bytes / clock.Elapsed.TotalSeconds / (1 << 20):0} MiB/s");
        }

        var disposal = Stopwatch.StartNew();
        await victim.Tracking.DisposeAsync();
        output.WriteLine($"giving it back: {disposal.Elapsed.TotalMilliseconds:0.0} ms");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public async Task OfAttachingAProgramWithBusyNeighbours(int neighbours)
    {
        await using var victim = await Victim.StartAsync();
        await victim.RunAsync($"[c.signal(17, 1)] + [os.fork() or [None for _ in iter(int, 1)] for _ in range({neighbours})]");
        var stops = new List<double>();
        for (var i = 0; i < 20; i++)
        {
            await using var tracking = await new MemoryTracker(new ProcessRunner()).StartAsync(victim.Cgroup, Cancellation);
            stops.AddRange((await tracking.ScanAsync(Cancellation)).Processes.Select(p => p.Stopped.TotalMilliseconds));
        }

        stops.Sort();
        output.WriteLine($"{stops.Count} stops with {neighbours} busy processes: median {stops[stops.Count / 2]:0.000} ms, 90 % {stops[stops.Count * 9 / 10]:0.000} ms, longest {stops[^1]:0.000} ms");
    }

    private static async Task<(MemoryScan Scan, double Milliseconds)> ScanAsync(Victim victim)
    {
        var clock = Stopwatch.StartNew();
        var scan = await victim.Tracking.ScanAsync(Cancellation);
        return (scan, clock.Elapsed.TotalMilliseconds);
    }

    private static long Read(Victim victim, PageSet pages, byte[] buffer, int pagesInRange, PageSet missing)
    {
        long bytes = 0;
        var ranges = new List<AddressRange>();
        foreach (var range in pages.Ranges)
        {
            for (var start = range.Start; start < range.End; start += (ulong)pagesInRange * MemoryPage.Bytes)
            {
                ranges.Add(new AddressRange(start, Math.Min(range.End, start + ((ulong)pagesInRange * MemoryPage.Bytes))));
                if (ranges.Count == 256 / pagesInRange)
                {
                    bytes += victim.Tracking.Reader.Read(victim.ProcessId, ranges.ToArray(), buffer, missing);
                    ranges.Clear();
                }
            }
        }

        return bytes;
    }
}
