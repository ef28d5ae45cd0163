using ContainerMigrate.Api;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

/// <summary>Memory that goes ahead while the container writes to it at every step.</summary>
public sealed class PreCopyTests
{
    private static readonly MigrateRequest PreCopy = Samples.Request with { Mode = MigrationModes.PreCopy };

    [Fact]
    public async Task EveryPageArrivesAsItWasLastWritten()
    {
        using var hosts = new TwoHosts();

        await hosts.MigrateAsync(PreCopy);

        hosts.To.ArrivedPages.ShouldNotBeNull().Count.ShouldBeGreaterThan(40);
        hosts.ShouldRunOnDestination();
    }

    [Fact]
    public async Task RoundsGoOnUntilThePauseFits()
    {
        using var hosts = new TwoHosts();

        await hosts.MigrateAsync(PreCopy with { MaxDowntimeSeconds = 10 });

        hosts.Status.Rounds.ShouldHaveSingleItem().Verdict.ShouldContain("fits the limit of 10000");
        hosts.ShouldRunOnDestination();
    }

    [Fact]
    public async Task FreezesOnlyForWhatIsLeft()
    {
        using var hosts = new TwoHosts();
        SlowDown(hosts);

        await hosts.MigrateAsync(PreCopy with { MaxDowntimeSeconds = 0.01 });

        var log = hosts.Source.Log.ToList();
        var frozen = log.IndexOf("record Frozen");
        log.IndexOf("call send Memory").ShouldBeInRange(0, frozen);
        log.IndexOf("suspend policy").ShouldBeInRange(log.LastIndexOf("call send Memory", frozen), frozen);
        log.Skip(frozen).ShouldContain("call send Memory");
        hosts.Status.Result.ShouldNotBeNull().Rounds.ShouldBeGreaterThan(0);
        hosts.Status.Result.FrozenBeforeSwitchoverMs.ShouldBe(0.3);
    }

    [Theory]
    [InlineData("stop for a scan")]
    [InlineData("scan memory")]
    public async Task ADaemonThatDiesWhileTheContainerStandsStillForAScanLeavesItToTheNextOne(string lastStep)
    {
        using var hosts = new TwoHosts(h => h.From.Tracker = MemoryTrackers.SoftDirty);
        SlowDown(hosts);
        hosts.Source.After = step =>
        {
            if (step == lastStep && hosts.From.Frozen)
            {
                hosts.Source.Kill();
            }
        };
        await hosts.MigrateAsync(PreCopy with { MaxDowntimeSeconds = 0.01 });
        hosts.From.Frozen.ShouldBeTrue();

        await hosts.SettleAsync();

        hosts.ShouldRunOnSource();
    }

    [Fact]
    public async Task AStallEndsItWhereTheOperatorWantsThat()
    {
        using var hosts = new TwoHosts();
        SlowDown(hosts);

        await hosts.MigrateAsync(PreCopy with { MaxDowntimeSeconds = 0.01, OnStall = "abort" });

        hosts.ShouldRunOnSource();
        hosts.Source.Log.ShouldNotContain("freeze");
        hosts.Status.Failure.ShouldNotBeNull().Stage.ShouldBe("pre-copy");
        hosts.Status.ExitCode.ShouldBe(ExitCodes.FailedSourceRunning);
    }

    [Fact]
    public async Task ItsPauseIsRememberedForTheNextPrediction()
    {
        using var hosts = new TwoHosts();

        await hosts.MigrateAsync(PreCopy);

        var (peer, runtime, sample) = hosts.Source.Pauses.All.ShouldHaveSingleItem();
        (peer, runtime, sample.Mode, sample.MemoryBytes).ShouldBe(("h2", "docker", MigrationModes.PreCopy, Samples.Manifest().MemoryBytes));
        sample.PauseMs.ShouldBe(hosts.Status.Result.ShouldNotBeNull().PauseMs);
        sample.Parts.ShouldBe(hosts.Status.Result.PauseParts);
    }

    [Fact]
    public async Task AFailureTeachesNothing()
    {
        using var hosts = new TwoHosts();
        SlowDown(hosts);

        await hosts.MigrateAsync(PreCopy with { MaxDowntimeSeconds = 0.01, OnStall = StallActions.Abort });

        hosts.Source.Pauses.All.ShouldBeEmpty();
    }

    // A connection of 0.8 MB/s, as it is measured when it is tried: memory takes a good part of the pause.
    private static void SlowDown(TwoHosts hosts) =>
        hosts.Source.Before = (step, _) =>
        {
            hosts.Time.Advance(step == "probe pages" ? TimeSpan.FromSeconds(20) : TimeSpan.Zero);
            return Task.CompletedTask;
        };
}
