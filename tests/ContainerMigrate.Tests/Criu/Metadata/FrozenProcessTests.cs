using System.Globalization;
using ContainerMigrate.Linux.Criu.Metadata;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Memory;
using ContainerMigrate.Tests.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Criu.Metadata;

public sealed class FrozenProcessTests
{
    private const ulong PageBytes = MemoryPage.Bytes;

    [Fact]
    public async Task TellsWhatARestoreMayBringLaterFromWhatItMayNot()
    {
        await using var victim = await Victim.StartAsync();
        var lazy = (ulong)await victim.NumberAsync("a := mapped(50)");
        var locked = (ulong)await victim.NumberAsync("b := mapped(20)");
        var untouched = (ulong)await victim.NumberAsync("c := mapped(30)");
        await victim.RunAsync("fill(a, 40, 7); fill(b, 20, 8)");
        await victim.RunAsync("__import__('ctypes').CDLL(None).mlock(__import__('ctypes').c_void_p(b), 20 * P)");
        await victim.Freezer.FreezeAsync(victim.Cgroup, TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);

        var process = FrozenProcess.Read(victim.ProcessId).ShouldNotBeNull();

        process.Lazy.Intersect(PageSet.Of(Range(lazy, 50))).Ranges.ToArray().ShouldBe([Range(lazy, 40)]);
        process.Lazy.Overlaps(Range(locked, 20)).ShouldBeFalse();
        process.Kept.Intersect(PageSet.Of(Range(locked, 20))).Ranges.ToArray().ShouldBe([Range(locked, 20)]);
        process.Kept.Overlaps(Range(lazy, 50)).ShouldBeFalse();
        (process.Kept.Overlaps(Range(untouched, 30)) || process.Lazy.Overlaps(Range(untouched, 30))).ShouldBeFalse();
        process.Kept.Intersect(process.Lazy).IsEmpty.ShouldBeTrue();
        var stack = File.ReadLines($"/proc/{victim.ProcessId}/maps").First(l => l.EndsWith("[stack]", StringComparison.Ordinal)).Split('-', ' ');
        process.Kept.Overlaps(new AddressRange(Convert.ToUInt64(stack[0], 16), Convert.ToUInt64(stack[1], 16))).ShouldBeTrue("the page that the stack pointer is in");
        process.Lazy.Overlaps(ArgumentsOf(victim.ProcessId)).ShouldBeFalse("ps(1) would find no command line");
    }

    [Fact]
    public async Task FindsGuardPages()
    {
        Assert.SkipUnless(PageScan.KnowsGuards, "this kernel does not tell of guard pages (PAGE_IS_GUARD, 6.15)");
        await using var victim = await Victim.StartAsync();
        var start = (ulong)await victim.NumberAsync("a := mapped(50)");
        await victim.RunAsync("fill(a, 30, 7); advise(a + 10 * P, 5, 102)");
        await victim.Freezer.FreezeAsync(victim.Cgroup, TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);

        var process = FrozenProcess.Read(victim.ProcessId).ShouldNotBeNull();

        process.Guards.Ranges.ToArray().ShouldContain(Range(start + (10 * PageBytes), 5));
        process.Lazy.Intersect(PageSet.Of(Range(start, 50))).Ranges.ToArray().ShouldBe([Range(start, 10), Range(start + (15 * PageBytes), 15)]);
    }

    [Fact]
    public void FindsLockedMappings()
    {
        string[] smaps =
        [
            "7f0000000000-7f0000002000 rw-p 00000000 00:00 0 ", "Size:                  8 kB", "VmFlags: rd wr mr mw me ac ",
            "7f0000004000-7f0000005000 rw-p 00000000 00:00 0                          [anon: lo]", "Size:                  4 kB", "VmFlags: rd wr mr mw me lo ac ",
            "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]", "VmFlags: ex ",
        ];

        LockedMemory.Parse(smaps).Ranges.ToArray().ShouldBe([new AddressRange(0x7f0000004000, 0x7f0000005000)]);
    }

    private static AddressRange ArgumentsOf(int id)
    {
        var fields = File.ReadAllText($"/proc/{id}/stat").Split(") ")[^1].Split(' ');
        var (start, end) = (ulong.Parse(fields[45], CultureInfo.InvariantCulture), ulong.Parse(fields[48], CultureInfo.InvariantCulture));
        return new AddressRange(start & ~(PageBytes - 1), (end + PageBytes - 1) & ~(PageBytes - 1));
    }

    private static AddressRange Range(ulong start, ulong pages) => new(start, start + (pages * PageBytes));
}
