using System.Globalization;
using ContainerMigrate.Linux.Cgroups;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>A program that changes its memory at random while it is copied, and checks what it had written before.</summary>
public sealed class MemoryUnderFireTests(ITestOutputHelper output)
{
    private const int Freezes = 4;
    private const int RoundsBetween = 12;

    /// <summary>More of them: <c>CTM_FIRE_SEEDS=100</c>.</summary>
    public static TheoryData<int> Seeds =>
        [.. Enumerable.Range(1, int.Parse(Environment.GetEnvironmentVariable("CTM_FIRE_SEEDS") ?? "6", CultureInfo.InvariantCulture))];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task TheCopyIsTheMemoryByteForByte(int seed)
    {
        await using var victim = await Victim.StartAsync(seed, "unshare", "-p", "-f", "--kill-child");
        long compared = 0, reported = 0;
        var stopped = TimeSpan.Zero;
        var longest = TimeSpan.Zero;
        var (processes, exact) = (0, 0);
        for (var freeze = 0; freeze < Freezes; freeze++)
        {
            for (var round = 0; round < RoundsBetween; round++)
            {
                var scan = await victim.RoundAsync();
                reported += scan.PageCount;
                stopped += scan.Stopped;
                longest = scan.LongestStop > longest ? scan.LongestStop : longest;
                exact += scan.Shared.Count(o => !o.IsComplete);
                processes += scan.Processes.Count(p => p.IsNew);
            }

            compared += await victim.CompareFrozenAsync();
        }

        // It ends itself when it finds what it has not written.
        ProcessCgroup.ReadProcesses(victim.Cgroup).ShouldContain(victim.ProcessId, victim.Errors);
        output.WriteLine($"{reported} pages reported and {compared} compared, {processes} processes, {exact} of {Freezes * RoundsBetween} times the shared memory by page; stopped {stopped.TotalMilliseconds:0.0} ms in all, at most {longest.TotalMilliseconds:0.000} ms");
    }
}
