using ContainerMigrate.Linux.Cgroups;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>A program that changes its memory at random while it is copied, and checks what it had written before.</summary>
public sealed class MemoryUnderFireTests(ITestOutputHelper output)
{
    private const int Freezes = 4;
    private const int RoundsBetween = 12;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public async Task TheCopyIsTheMemoryByteForByte(int seed)
    {
        await using var victim = await Victim.StartAsync(seed);
        long compared = 0, reported = 0;
        var stopped = TimeSpan.Zero;
        var longest = TimeSpan.Zero;
        var processes = 0;
        for (var freeze = 0; freeze < Freezes; freeze++)
        {
            for (var round = 0; round < RoundsBetween; round++)
            {
                var scan = await victim.RoundAsync();
                reported += scan.PageCount;
                stopped += scan.Stopped;
                longest = scan.LongestStop > longest ? scan.LongestStop : longest;
                processes += scan.Processes.Count(p => p.IsNew);
            }

            compared += await victim.CompareFrozenAsync();
        }

        // It ends itself when it finds what it has not written.
        ProcessCgroup.ReadProcesses(victim.Cgroup).ShouldContain(victim.ProcessId);
        output.WriteLine($"{reported} pages reported and {compared} compared, {processes} processes; stopped {stopped.TotalMilliseconds:0.0} ms in all, at most {longest.TotalMilliseconds:0.000} ms");
    }
}
