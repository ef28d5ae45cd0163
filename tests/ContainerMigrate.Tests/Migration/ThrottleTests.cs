using ContainerMigrate.Api;
using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

/// <summary>A container that writes faster than its memory can be copied, and is slowed down for it.</summary>
public sealed class ThrottleTests
{
    private static readonly MigrateRequest Request = Samples.Request with { Mode = MigrationModes.PreCopy, MaxDowntimeSeconds = 0.01, OnStall = StallActions.Throttle };

    [Fact]
    public async Task SlowsDownInStepsAndGivesBackBeforeTheFreeze()
    {
        using var hosts = Stalling();

        await hosts.MigrateAsync(Request);

        hosts.ShouldRunOnDestination();
        var limits = Limits(hosts);
        // 1.5 processors were allowed, of two that it would have used.
        limits.ShouldBe(["120000 100000", "90000 100000", "60000 100000", "30000 100000", "15000 100000", Machine.GivenCpu.ToString()], hosts.Trace);
        var log = hosts.Source.Log.ToList();
        log.IndexOf($"limit cpu {Machine.GivenCpu}").ShouldBe(log.IndexOf("freeze") - 1);
    }

    [Fact]
    public async Task EachStepIsSaid()
    {
        using var hosts = Stalling();

        await hosts.MigrateAsync(Request);

        var slowed = hosts.Status.Rounds.Where(r => r.Verdict.Contains("slowed down to", StringComparison.Ordinal)).ToList();
        slowed.Count.ShouldBe(5);
        slowed[0].Verdict.ShouldEndWith("slowed down to 120 % of a processor, it used 150");
        hosts.Status.Rounds[0].CpuPercent.ShouldBeNull();
        hosts.Status.Rounds[^1].CpuPercent.ShouldBe(15);
    }

    [Fact]
    public async Task WhatThereWasIsRecordedBeforeItIsTaken()
    {
        using var hosts = Stalling();

        await hosts.MigrateAsync(Request);

        var log = hosts.Source.Log.ToList();
        log[log.FindIndex(l => l.StartsWith("limit cpu", StringComparison.Ordinal)) - 1].ShouldBe("record PreCopy");
    }

    [Fact]
    public async Task NothingIsTakenFromOneThatConverges()
    {
        using var hosts = new TwoHosts();

        await hosts.MigrateAsync(Request with { MaxDowntimeSeconds = 10 });

        hosts.ShouldRunOnDestination();
        Limits(hosts).ShouldBeEmpty();
    }

    [Fact]
    public async Task AnAbortGivesItBack()
    {
        using var hosts = Stalling(beforeFirst: "freeze", () => throw new MigrationException("freeze", "it does not"));

        await hosts.MigrateAsync(Request);

        hosts.ShouldRunOnSource();
        Limits(hosts).Count.ShouldBeGreaterThan(5);
    }

    [Fact]
    public async Task ADaemonThatDiesWhileItIsSlowedDownGivesItBackAtItsRestart()
    {
        var crashes = 0;
        while (true)
        {
            var left = crashes;
            using var hosts = Stalling();
            var source = hosts.Source;
            source.After = step => source.End(now: step.StartsWith("limit cpu", StringComparison.Ordinal) && left-- == 0);
            await hosts.MigrateAsync(Request);
            if (!source.IsDead)
            {
                break;
            }

            await hosts.SettleAsync();
            hosts.Time.Advance(TwoHosts.Lease);
            await hosts.Until(() => hosts.Destination.Environment.Journals.OpenUnfinished(out _).Count == 0);
            hosts.ShouldRunOnSource();
            crashes++;
        }

        crashes.ShouldBe(6);
    }

    private static List<string> Limits(TwoHosts hosts) =>
        [.. hosts.Source.Log.Where(l => l.StartsWith("limit cpu ", StringComparison.Ordinal)).Select(l => l["limit cpu ".Length..])];

    // A connection of 0.8 MB/s and rounds of a second, in which the container writes again to all that it has.
    private static TwoHosts Stalling(string? beforeFirst = null, Action? then = null)
    {
        var hosts = new TwoHosts();
        hosts.Source.Before = (step, _) =>
        {
            hosts.Time.Advance(step switch
            {
                "probe pages" => TimeSpan.FromSeconds(20),
                "call send Memory" => TimeSpan.FromSeconds(1),
                _ => TimeSpan.Zero,
            });
            if (step == "call send Memory" && !hosts.From.Frozen)
            {
                hosts.From.Memory.Write(64);
            }

            if (step == beforeFirst)
            {
                then!();
            }

            return Task.CompletedTask;
        };
        return hosts;
    }
}
