using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

public sealed class SharedMemoryTests
{
    // A pid namespace of its own, as a container has: only there can processes be counted.
    private static readonly string[] Namespace = ["unshare", "-p", "-f", "--kill-child"];

    [Fact]
    public async Task IsReportedOnceAndThenByWhatAnyProcessHasWritten()
    {
        await using var victim = await Victim.StartAsync(seed: null, Namespace);
        await victim.RunAsync("a = mapped(50, RW, SHARED); fill(a, 20, 7); pid = child(lambda: put(a, 30, 8))");
        var first = (await victim.RoundAsync()).Shared.ShouldHaveSingleItem();
        (first.IsComplete, first.Length).ShouldBe((true, 50L * 4096));
        Pages(first).ShouldBe([.. Enumerable.Range(0, 20), 30]);

        await victim.RunAsync("put(a, 3, 9); put(a, 40, 9)");
        var second = (await victim.RoundAsync()).Shared.ShouldHaveSingleItem();
        second.IsComplete.ShouldBeFalse();
        Pages(second).ShouldBe([3, 40]);
        Pages((await victim.RoundAsync()).Shared.Single()).ShouldBeEmpty();
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task IsReportedWholeWhenAProcessCameAndWentUnseen()
    {
        await using var victim = await Victim.StartAsync(seed: null, Namespace);
        await victim.RunAsync("a = mapped(50, RW, SHARED); fill(a, 20, 7)");
        await victim.RoundAsync();
        await victim.RoundAsync();

        await victim.RunAsync("gone(child(lambda: put(a, 30, 8)))");
        var scan = await victim.RoundAsync();
        scan.Shared.Single().IsComplete.ShouldBeTrue();
        await victim.CompareFrozenAsync();
        (await victim.RoundAsync()).Shared.Single().IsComplete.ShouldBeFalse();
    }

    [Fact]
    public async Task IsReportedWholeWhenItsMappingIsGivenUp()
    {
        await using var victim = await Victim.StartAsync(seed: null, Namespace);
        await victim.RunAsync("a = mapped(50, RW, SHARED); fill(a, 50, 7); pid = child(lambda: None)");
        await victim.RoundAsync();
        await victim.RoundAsync();

        await victim.RunAsync("put(a, 17, 9); put(a, 45, 9); advise(a, 20, DONTNEED); unmap(a + 40 * P, 10)");
        (await victim.RoundAsync()).Shared.Single().IsComplete.ShouldBeTrue();
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task FindsWhatWasWrittenAndThenTakenOutOfThePageTables()
    {
        await using var victim = await Victim.StartAsync(seed: null, Namespace);
        await victim.RunAsync("a = mapped(50, RW, SHARED); fill(a, 50, 7)");
        await victim.RoundAsync();
        await victim.RoundAsync();

        await victim.RunAsync("put(a, 17, 9); advise(a, 20, DONTNEED)");
        Pages((await victim.RoundAsync()).Shared.Single()).ShouldContain(17);
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task IsReportedWholeWhereItCanBeWrittenAsAFile()
    {
        await using var victim = await Victim.StartAsync(seed: null, Namespace);
        await victim.RunAsync("f = os.memfd_create('x'); os.ftruncate(f, 30 * P); a = mapped(30, RW, 1, None, f); put(a, 3, 1)");
        await victim.RoundAsync();
        await victim.RoundAsync();

        await victim.RunAsync("os.pwrite(f, b'z' * P, 20 * P)");
        var shared = (await victim.RoundAsync()).Shared.ShouldHaveSingleItem();
        shared.IsComplete.ShouldBeTrue();
        Pages(shared).ShouldBe([3, 20]);
        await victim.CompareFrozenAsync();
    }

    private static int[] Pages(SharedMemory shared) =>
        [.. Enumerable.Range(0, 60).Where(i => shared.Written.Contains((ulong)i * 4096))];
}
