using ContainerMigrate.Api;
using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

/// <summary>Memory that stays behind at the switchover, and follows while the container runs on the destination. Where daemons die meanwhile: <see cref="CrashTests"/>.</summary>
public sealed class PostCopyTests
{
    private static readonly MigrateRequest PostCopy = Samples.Request with { Mode = MigrationModes.PostCopy };

    [Fact]
    public async Task TheSourceKeepsItsCopyUntilTheLastPageHasArrived()
    {
        using var hosts = new TwoHosts();

        await hosts.MigrateAsync(PostCopy);

        hosts.ShouldRunOnDestination();
        var followed = hosts.Status.Result.ShouldNotBeNull().PostCopy.ShouldNotBeNull();
        followed.TotalBytes.ShouldBeGreaterThan(0);
        followed.IsComplete.ShouldBeTrue();
        hosts.Status.Rounds.Count.ShouldBe(2); // one, and why there is no other
        hosts.Log.IndexOf("h1 destroy").ShouldBeGreaterThan(hosts.Log.LastIndexOf("h2 call fetch"), hosts.Trace);
    }

    [Fact]
    public async Task TheContainerStandsStillWhileItsSourceDoesNotAnswerAndGoesOnWhenItDoes()
    {
        using var hosts = new TwoHosts();
        hosts.Source.LosesFetches = true;
        var migration = hosts.MigrateAsync(PostCopy);
        await hosts.Until(() => hosts.To.Arrival is { Running: true });

        hosts.Time.Advance(TimeSpan.FromSeconds(6));
        await hosts.Until(() => hosts.To.StandsStill);
        await hosts.Until(() => hosts.Status.PostCopy is { Paused: not null });
        hosts.Status.Activity.ShouldStartWith("post-copy paused: link to h1 lost");
        hosts.Status.Failure.ShouldNotBeNull().NextStep.ShouldNotBeNull().ShouldContain("goes on by itself");
        hosts.From.Frozen.ShouldBeTrue();

        hosts.Source.LosesFetches = false;
        await migration;
        hosts.ShouldRunOnDestination();
        hosts.Status.Failure.ShouldBeNull();
    }

    [Fact]
    public async Task ADaemonThatIsStartedWhileTheContainerStandsStillLetsItGoOn()
    {
        using var hosts = new TwoHosts();
        hosts.Source.LosesFetches = true;
        var migration = hosts.MigrateAsync(PostCopy);
        await hosts.Until(() => hosts.To.Arrival is { Running: true });
        hosts.Time.Advance(TimeSpan.FromSeconds(6));
        await hosts.Until(() => hosts.To.StandsStill);

        hosts.Destination.Kill();
        await migration;
        hosts.Source.LosesFetches = false;
        await hosts.SettleAsync();

        hosts.ShouldRunOnDestination();
    }

    [Fact]
    public async Task MemoryThatIsGoneOnTheSourceIsSaidToBeLost()
    {
        using var hosts = new TwoHosts();
        hosts.Source.LosesFetches = true;
        _ = hosts.MigrateAsync(PostCopy);
        await hosts.Until(() => hosts.To.Arrival is { Running: true });

        hosts.From.Exists = false; // somebody has killed the frozen copy
        hosts.Source.LosesFetches = false;

        await hosts.Until(() => hosts.Status.PostCopy is { Lost: not null });
        hosts.Status.Activity.ShouldStartWith("post-copy lost: h1 does not have it any more");
        hosts.Status.Failure.ShouldNotBeNull().NextStep.ShouldNotBeNull().ShouldContain("start it afresh");
        hosts.To.StandsStill.ShouldBeTrue();
        hosts.Source.Log.ShouldNotContain("destroy");
    }

    [Fact]
    public async Task WhatStallsFollowsWhereTheOperatorWantsThat()
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = (step, _) =>
        {
            hosts.Time.Advance(step == "probe pages" ? TimeSpan.FromSeconds(20) : TimeSpan.Zero);
            if (step == "call send Memory" && !hosts.From.Frozen)
            {
                hosts.From.Memory.Write(64);
            }

            return Task.CompletedTask;
        };

        await hosts.MigrateAsync(Samples.Request with { Mode = MigrationModes.PreCopy, MaxDowntimeSeconds = 0.01, OnStall = StallActions.PostCopy });

        hosts.ShouldRunOnDestination();
        hosts.Status.Result.ShouldNotBeNull().PostCopy.ShouldNotBeNull().TotalBytes.ShouldBeGreaterThan(0);
        hosts.Status.Rounds[^1].Verdict.ShouldEndWith("the rest follows after the switchover");
    }

    [Fact]
    public async Task NobodyMayAskForMemoryOfAContainerThatRunsHereAgain()
    {
        using var hosts = new TwoHosts();
        hosts.Destination.Before = (step, _) => step == "restore" ? throw new MigrationException("restore", "it does not") : Task.CompletedTask;

        await hosts.MigrateAsync(PostCopy);

        hosts.ShouldRunOnSource();
        hosts.Source.Environment.Remaining.Find(TwoHosts.Id, "h2").ShouldBeNull();
    }
}
