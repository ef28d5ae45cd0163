using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

public sealed class ProcessMemoryReaderTests
{
    private const int PageBytes = MemoryPage.Bytes;

    [Fact]
    public async Task TellsWhichPagesAreGone()
    {
        await using var victim = await Victim.StartAsync();
        var start = await victim.NumberAsync("a := mapped(40)");
        await victim.RunAsync("fill(a, 40, 7); unmap(a + 10 * P, 5)");
        await victim.RoundAsync();
        var buffer = new byte[40 * PageBytes];
        Array.Fill(buffer, (byte)1);

        var missing = new PageSet();
        victim.Tracking.Reader.Read(victim.ProcessId, [Range(start, 5, 20), Range(start, 30, 31)], buffer, missing).ShouldBe(16 * PageBytes);
        missing.Ranges.ToArray().ShouldBe([Range(start, 10, 15)]);
        buffer.Take(5 * PageBytes).ShouldAllBe(b => b == 7);
        buffer.Skip(5 * PageBytes).Take(5 * PageBytes).ShouldAllBe(b => b == 0);
        buffer.Skip(10 * PageBytes).Take(6 * PageBytes).ShouldAllBe(b => b == 7);
        buffer[16 * PageBytes].ShouldBe((byte)1, "nothing is written behind the ranges");
    }

    [Fact]
    public async Task ReadsWhatTheProgramItselfMayNot()
    {
        await using var victim = await Victim.StartAsync();
        var start = await victim.NumberAsync("a := mapped(4)");
        await victim.RunAsync("fill(a, 4, 7); protect(a, 4, NONE)");
        await victim.RoundAsync();
        var buffer = new byte[4 * PageBytes];

        var missing = new PageSet();
        victim.Tracking.Reader.Read(victim.ProcessId, [Range(start, 0, 4)], buffer, missing);
        missing.IsEmpty.ShouldBeTrue();
        buffer.ShouldAllBe(b => b == 7);
    }

    [Fact]
    public async Task ReadsNothingOfAProgramThatHasReplacedTheOneOfTheScan()
    {
        await using var victim = await Victim.StartAsync();
        var start = await victim.NumberAsync("a := mapped(4)");
        await victim.RunAsync("fill(a, 4, 7)");
        await victim.RoundAsync();
        await victim.ReplaceProgramAsync();

        var missing = new PageSet();
        victim.Tracking.Reader.Read(victim.ProcessId, [Range(start, 0, 4)], new byte[4 * PageBytes], missing).ShouldBe(4 * PageBytes);
        missing.PageCount.ShouldBe(4);
        victim.Tracking.Reader.Read(1 << 29, [Range(start, 0, 4)], new byte[4 * PageBytes], missing).ShouldBe(4 * PageBytes);
    }

    [Fact]
    public async Task LeavesPagesSharedThatParentAndChildShare()
    {
        await using var victim = await Victim.StartAsync();
        await victim.RunAsync("a = mapped(20000); fill(a, 20000, 7); pid = child(lambda: None)");
        var before = PrivateKilobytes(victim.ProcessId);

        await victim.RoundAsync();
        (PrivateKilobytes(victim.ProcessId) - before).ShouldBeLessThan(8000);
    }

    private static long PrivateKilobytes(int process) =>
        long.Parse(File.ReadLines($"/proc/{process}/smaps_rollup").First(l => l.StartsWith("Private_Dirty:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);

    private static AddressRange Range(ulong start, int first, int end) => new(start + ((ulong)first * PageBytes), start + ((ulong)end * PageBytes));
}
