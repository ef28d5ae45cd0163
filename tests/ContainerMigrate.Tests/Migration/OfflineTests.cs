using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Migration;
using NSubstitute;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

/// <summary>A container that is stopped, moved and started: it never runs on both hosts, and a failure starts it again where it was.</summary>
public sealed class OfflineTests
{
    private static readonly MigrateRequest Request = Samples.Request with { Mode = MigrationModes.Offline };

    /// <summary>Each step of the source from the stop on.</summary>
    public static TheoryData<string> Steps => ["record Frozen", "refuse starts", "stop", "look for the last changes", "read files", "call send Layer", "call prepare", "record Go"];

    [Fact]
    public async Task StopsSendsTheRestAndStartsThere()
    {
        using var hosts = new TwoHosts();

        await hosts.MigrateAsync(Request, withVolumes: true);

        hosts.ShouldRunOnDestination();
        hosts.Status.ExitCode.ShouldBe(ExitCodes.Done);
        string[] order = ["read files ahead", "suspend policy", "record Frozen", "refuse starts", "stop", "look for the last changes", "call send Layer", "call prepare", "record Go", "call go", "record Committed", "call settle", "destroy", "record Destroyed"];
        hosts.Source.Log.Where(order.Contains).Distinct().ShouldBe(order);
        hosts.Source.Log.ShouldNotContain("freeze");
        hosts.Source.Log.ShouldNotContain("dump");
        hosts.Destination.Log.Where(s => s is "record Prepared" or "record Committed" or "start" or "restore").ShouldBe(["record Prepared", "record Committed", "start"]);
        hosts.Status.Result!.PauseParts.Keys.ShouldBe(["stop", "files", "prepare", "commit", "resume", "go"], ignoreOrder: true);
        hosts.Source.Pauses.All.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task FailureStartsItAgainOnTheSource(string step)
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = (s, _) => s == step ? throw new MigrationException("stage", "it broke") : Task.CompletedTask;

        await hosts.MigrateAsync(Request, withVolumes: true);

        hosts.ShouldRunOnSource();
        hosts.Status.ExitCode.ShouldBe(ExitCodes.FailedSourceRunning);
        (hosts.Status.SourceState, hosts.Status.Failure!.Cause).ShouldBe(("running", "it broke"));
    }

    [Fact]
    public async Task DestinationThatCannotStartItGivesItBack()
    {
        using var hosts = new TwoHosts();
        hosts.Destination.Before = (s, _) =>
        {
            if (s == "claim")
            {
                hosts.To.Arrival!.DiesBeforeItRuns = true;
            }

            return Task.CompletedTask;
        };

        await hosts.MigrateAsync(Request, withVolumes: true);

        hosts.ShouldRunOnSource();
        hosts.From.Starts.ShouldBe(1);
        hosts.Status.Failure!.Host.ShouldBe("h2");
    }

    [Fact]
    public async Task ContainerThatEndedBeforeItWasStoppedIsNotStarted()
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = (s, _) =>
        {
            hosts.From.Stopped |= s == "suspend policy";
            return Task.CompletedTask;
        };

        await hosts.MigrateAsync(Request);

        (hosts.From.Stopped, hosts.From.Starts).ShouldBe((true, 0));
        hosts.Status.SourceState.ShouldBe("stopped");
        hosts.Source.Log.ShouldNotContain("start again");
    }

    [Fact]
    public async Task RollbackWaitsForARuntimeThatDoesNotAnswerYet()
    {
        using var hosts = new TwoHosts();
        var tries = 0;
        hosts.Source.Before = (s, _) => s == "call prepare" ? throw new MigrationException("prepare", "it broke")
            : s == "start again" && tries++ < 3 ? throw new MigrationException("start", "dockerd does not answer")
            : Task.CompletedTask;
        hosts.Source.Available = () => tries > 3;

        var migration = hosts.MigrateAsync(Request);
        while (!migration.IsCompleted)
        {
            hosts.Time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        await migration;
        hosts.ShouldRunOnSource();
        tries.ShouldBeGreaterThan(3);
    }

    [Fact]
    public void WhatProcessesDoDoesNotMatter()
    {
        CheckNames.All.Where(n => !OfflineChecks.Concerns(new CheckFinding(n, CheckSeverity.Error, "h1", "x"))).ShouldBe(
            [CheckNames.Criu, CheckNames.Cpu, CheckNames.Wrapper, CheckNames.Clock, CheckNames.Exec, CheckNames.Terminal, CheckNames.Stdio, CheckNames.IoUring, CheckNames.Processes, CheckNames.Throttle], ignoreOrder: true);
        OfflineChecks.Concerns(new CheckFinding(CheckNames.Kernel, CheckSeverity.Warning, "h1", "older")).ShouldBeFalse();
    }

    [Fact]
    public void RefusesWhatCannotBeStoppedOrTaken()
    {
        var runtime = Substitute.For<ContainerMigrate.Containers.IContainerRuntime>();
        runtime.Name.Returns("runc");
        OfflineChecks.Find(Samples.Manifest(paused: true), runtime, "h1", Samples.Facts("h2") with { OfflineArrivals = false }).Select(f => (f.Check, f.Host))
            .ShouldBe([(CheckNames.Runtime, "h1"), (CheckNames.State, "h1"), (CheckNames.Runtime, "h2")]);
    }
}
