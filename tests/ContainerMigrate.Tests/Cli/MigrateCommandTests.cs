using System.Text.Json;
using System.Text.Json.Nodes;
using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Cli.Following;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using Microsoft.AspNetCore.Http;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Cli;

public sealed class MigrateCommandTests : IAsyncLifetime
{
    private static readonly MigrationStatus Done = FakeDaemon.Ended(MigrationPhase.Done, ExitCodes.Done) with
    {
        Result = new MigrationResult
        {
            PauseMs = 231.4,
            PredictedMs = 240,
            PauseParts = new Dictionary<string, double> { ["freeze"] = 12, ["fence"] = 0.3, ["dump"] = 60.2, ["restore"] = 120 },
            TotalMs = 8400,
            SentBytes = 2254857830,
            WireBytes = 1395864371,
            DestinationId = "abc",
            FileRounds = 2,
            FilesAheadBytes = 83 << 20,
            FilesInPauseBytes = 12 << 10,
            KeptPackets = new PacketTotals(Kept: 312, Bytes: 410_624, Delivered: 311, Dropped: 1),
        },
    };

    private FakeDaemon _daemon = null!;

    public async ValueTask InitializeAsync() => _daemon = await FakeDaemon.StartAsync();

    public ValueTask DisposeAsync() => _daemon.DisposeAsync();

    [Fact]
    public async Task PipedItPrintsOneLineAStageAndTheResultInParts()
    {
        _daemon.AcceptMigration(
            FakeDaemon.Status(MigrationPhase.New),
            FakeDaemon.Status(MigrationPhase.Planned, "reserving on h2"),
            FakeDaemon.Status(MigrationPhase.Frozen, "sending memory") with { TotalBytes = 100 << 20, SentBytes = 10 << 20, BytesPerSecond = 910e6 },
            FakeDaemon.Status(MigrationPhase.Frozen, "sending memory") with { TotalBytes = 100 << 20, SentBytes = 90 << 20, BytesPerSecond = 910e6 },
            Done);

        var run = await CommandRun.OfAsync(_daemon, "migrate", "web", "h2");

        run.ShouldSatisfyAllConditions(
            () => run.ExitCode.ShouldBe(0),
            () => run.Error.ShouldBe(""),
            () => run.OutputLines.ShouldBe(
            [
                "web -> h2  check",
                "web -> h2  reserving on h2",
                "web -> h2  sending memory  10 MiB of 100 MiB at 910 MB/s",
                "done: pause 231 ms seen by the network, total 8.4 s, 2.1 GiB sent (1.3 GiB on the wire)",
                "  pause in ms: freeze 12, dump 60, restore 120; predicted 240",
                "  files: 83 MiB in 2 rounds, 12 KiB in the pause",
                "  312 packets kept in the pause (401 KiB): 311 delivered, 1 dropped",
            ]));
    }

    [Fact]
    public async Task AsksForWhatWasTyped()
    {
        _daemon.AcceptMigration(Done);

        await CommandRun.OfAsync(_daemon, "migrate", "docker:web", "h2", "--dry-run", "--mode", "stop-and-copy", "--skip", "cpu,clock", "--deadline", "10m", "--freeze-timeout", "1500ms",
            "--volume", "data=shared", "--volume", "/cache=empty", "--keep-volumes");

        var request = JsonSerializer.Deserialize(_daemon.Asked.Single(a => a.Request == "POST /v1/migrations").Body, ApiJson.Default.MigrateRequest)!;
        request.ShouldSatisfyAllConditions(
            () => request.Container.ShouldBe("docker:web"),
            () => request.Host.ShouldBe("h2"),
            () => request.DryRun.ShouldBeTrue(),
            () => request.Volumes.ShouldBe(["data=shared", "/cache=empty"]),
            () => request.KeepVolumes.ShouldBeTrue(),
            () => request.Mode.ShouldBe("stop-and-copy"),
            () => request.Skip.ShouldBe(["cpu", "clock"]),
            () => request.DeadlineSeconds.ShouldBe(600),
            () => request.FreezeTimeoutSeconds.ShouldBe(1.5));
    }

    [Fact]
    public async Task WithoutOptionsEverythingIsLeftToTheDaemon()
    {
        _daemon.AcceptMigration(Done);

        await CommandRun.OfAsync(_daemon, "migrate", "web", "h2");

        var request = JsonSerializer.Deserialize(_daemon.Asked.Single(a => a.Request == "POST /v1/migrations").Body, ApiJson.Default.MigrateRequest)!;
        request.ShouldSatisfyAllConditions(
            () => request.Mode.ShouldBe("auto"),
            () => request.DryRun.ShouldBeFalse(),
            () => request.DeadlineSeconds.ShouldBeNull(),
            () => request.FreezeTimeoutSeconds.ShouldBeNull(),
            () => request.Skip.ShouldBeEmpty());
    }

    [Fact]
    public async Task WarningsAreToldOnce()
    {
        var finding = new CheckFinding(CheckNames.Clock, CheckSeverity.Warning, "h2", "42 ms ahead of h1");
        _daemon.AcceptMigration(FakeDaemon.Status(MigrationPhase.Planned) with { Findings = [finding] }, Done with { Findings = [finding] });

        var run = await CommandRun.OfAsync(_daemon, "migrate", "web", "h2");

        run.OutputLines.Count(line => line == "warning: h2: clock: 42 ms ahead of h1").ShouldBe(1);
    }

    [Fact]
    public async Task ARefusalTellsEveryReasonAndItsRemedy()
    {
        _daemon.AcceptMigration(FakeDaemon.Ended(MigrationPhase.Aborted, ExitCodes.Refused) with
        {
            Failure = new MigrationFailure("h2", "check", "2 checks refused it"),
            Findings =
            [
                new CheckFinding(CheckNames.Memory, CheckSeverity.Error, "h2", "needs 1.2 GiB, 0.9 GiB is available", "free memory on h2"),
                new CheckFinding(CheckNames.Name, CheckSeverity.Error, "h2", "a container named web exists"),
                new CheckFinding(CheckNames.Clock, CheckSeverity.Warning, "h2", "42 ms ahead of h1"),
            ],
        });

        var run = await CommandRun.OfAsync(_daemon, "migrate", "web", "h2");

        run.ExitCode.ShouldBe(10);
        run.ErrorLines.ShouldBe(
        [
            "ctmigrate: h2: memory: needs 1.2 GiB, 0.9 GiB is available",
            "  next: free memory on h2",
            "ctmigrate: h2: name: a container named web exists",
            "  web runs on h1 as before; nothing is left on h2",
        ]);
    }

    [Fact]
    public async Task ASkippedErrorIsToldWhenItGoesOnAndIsNoReasonWhenItDoesNot()
    {
        CheckFinding[] findings =
        [
            new(CheckNames.Cpu, CheckSeverity.Error, "h2", "lacks avx512f"),
            new(CheckNames.Name, CheckSeverity.Error, "h2", "a container named web exists"),
        ];
        _daemon.AcceptMigration(FakeDaemon.Ended(MigrationPhase.Aborted, ExitCodes.Refused) with { Findings = findings });
        var refused = await CommandRun.OfAsync(_daemon, "migrate", "web", "h2", "--skip", "cpu");
        _daemon.AcceptMigration(FakeDaemon.Status(MigrationPhase.Planned) with { Findings = findings }, Done);
        var moved = await CommandRun.OfAsync(_daemon, "migrate", "web", "h2", "--skip", "cpu,name");

        refused.ErrorLines[0].ShouldBe("ctmigrate: h2: name: a container named web exists");
        moved.OutputLines[0].ShouldBe("skipped: h2: cpu: lacks avx512f");
    }

    [Fact]
    public async Task ADryRunThatFindsNothingSaysSo()
    {
        _daemon.AcceptMigration(FakeDaemon.Ended(MigrationPhase.Done, ExitCodes.Done) with { SourceState = "running", DestinationState = "absent" });

        var run = await CommandRun.OfAsync(_daemon, "migrate", "web", "h2", "--dry-run");

        run.ShouldBe(new CommandRun(0, "dry run: web can move to h2; nothing was touched\n", ""));
    }

    [Fact]
    public async Task AFinalPhaseIsNotTheEndWhileTheHostsAreCleanedUp()
    {
        _daemon.AcceptMigration(FakeDaemon.Status(MigrationPhase.Done, "removing the source's copy"), Done);

        var run = await CommandRun.OfAsync(_daemon, "migrate", "web", "h2");

        run.OutputLines[0].ShouldBe("web -> h2  removing the source's copy");
        run.OutputLines[1].ShouldStartWith("done: pause 231 ms");
    }

    [Fact]
    public async Task AFailureNamesHostStageCauseNextStepAndBothStates()
    {
        _daemon.AcceptMigration(FakeDaemon.Ended(MigrationPhase.Aborted, ExitCodes.FailedSourceRunning) with
        {
            Failure = new MigrationFailure("h2", "restore", "Can't open /var/log/app.log", "copy the file to h2"),
            SourceState = "paused",
            DestinationState = "unknown",
        });

        var run = await CommandRun.OfAsync(_daemon, "migrate", "web", "h2");

        run.ExitCode.ShouldBe(20);
        run.ErrorLines.ShouldBe(
        [
            "ctmigrate: h2: restore: Can't open /var/log/app.log",
            "  next: copy the file to h2",
            "  web is paused on h1 as before; what h2 holds is not known until it answers",
        ]);
    }

    [Fact]
    public async Task JsonEndsWithOneObjectThatHoldsTheResult()
    {
        _daemon.AcceptMigration(FakeDaemon.Status(MigrationPhase.Planned, "reserving on h2"), Done);

        var run = await CommandRun.OfAsync(_daemon, "migrate", "web", "h2", "--json");

        var last = JsonNode.Parse(run.OutputLines[^1])!;
        run.ShouldSatisfyAllConditions(
            () => run.OutputLines.Length.ShouldBe(2),
            () => last["ok"]!.GetValue<bool>().ShouldBeTrue(),
            () => last["id"]!.GetValue<string>().ShouldBe("m1"),
            () => last["pause_ms"]!.GetValue<double>().ShouldBe(231.4),
            () => last["pause_parts"]!["dump"]!.GetValue<double>().ShouldBe(60.2),
            () => last["wire_bytes"]!.GetValue<long>().ShouldBe(1395864371),
            () => last["source_state"]!.GetValue<string>().ShouldBe("removed"),
            () => last["failure"].ShouldBeNull());
    }

    [Fact]
    public async Task JsonOfAFailureHoldsTheFailureAndTheExitCode()
    {
        _daemon.AcceptMigration(FakeDaemon.Ended(MigrationPhase.Aborted, ExitCodes.FailedSourceRunning) with
        {
            Failure = new MigrationFailure("h1", "dump", "no space left", "free some"),
        });

        var run = await CommandRun.OfAsync(_daemon, "migrate", "web", "h2", "--json");

        run.ExitCode.ShouldBe(20);
        JsonNode.Parse(run.OutputLines[^1])!.ToJsonString().ShouldBe(
            """{"ok":false,"exit_code":20,"id":"m1","container":"web","runtime":"docker","source":"h1","destination":"h2","mode":"stop-and-copy","failure":{"host":"h1","stage":"dump","cause":"no space left","next_step":"free some"},"source_state":"running","destination_state":"absent"}""");
    }

    [Fact]
    public async Task JsonIsPrintedEvenWhenTheDaemonRefusesToBegin()
    {
        _daemon.Refuse("POST /v1/migrations", new ApiError("h1: check: there is no container web", ExitCodes.Refused, new MigrationFailure("h1", "check", "there is no container web")));

        var run = await CommandRun.OfAsync(_daemon, "migrate", "web", "h2", "--json");

        run.ShouldSatisfyAllConditions(
            () => run.ExitCode.ShouldBe(10),
            () => JsonNode.Parse(run.OutputLines.Single())!["exit_code"]!.GetValue<int>().ShouldBe(10),
            () => run.ErrorLines.ShouldBe(["ctmigrate: h1: check: there is no container web"]));
    }

    [Fact]
    public async Task DetachPrintsTheIdAndReturns()
    {
        _daemon.AcceptMigration();

        var run = await CommandRun.OfAsync(_daemon, "migrate", "web", "h2", "--detach");

        run.ShouldBe(new CommandRun(0, "m1\n", ""));
    }

    [Fact]
    public async Task TheFirstInterruptCancelsAndWaitsForTheEnd()
    {
        var events = _daemon.AcceptMigration();
        using var interrupts = new Interrupts();
        var run = CommandRun.OfAsync(_daemon, "", interrupts, "migrate", "web", "h2");
        events.TryWrite(FakeDaemon.Status(MigrationPhase.Frozen, "dumping"));

        interrupts.Raise();
        await _daemon.CancelAsked.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        run.IsCompleted.ShouldBeFalse();
        events.TryWrite(FakeDaemon.Ended(MigrationPhase.Aborted, ExitCodes.Cancelled) with { Failure = new MigrationFailure("h1", "dump", "cancelled by the operator") });

        (await run).ExitCode.ShouldBe(21);
    }

    [Fact]
    public async Task TheSecondInterruptLeavesTheMigrationToTheDaemon()
    {
        _daemon.AcceptMigration().TryWrite(FakeDaemon.Status(MigrationPhase.Frozen, "dumping"));
        using var interrupts = new Interrupts();
        var run = CommandRun.OfAsync(_daemon, "", interrupts, "migrate", "web", "h2");

        interrupts.Raise();
        await _daemon.CancelAsked.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        interrupts.Raise();

        var ended = await run;
        ended.ExitCode.ShouldBe(130);
        ended.Error.ShouldContain("migration m1 goes on");
    }

    [Fact]
    public async Task WatchIsLeftByOneInterruptWithoutCancelling()
    {
        _daemon.AcceptMigration().TryWrite(FakeDaemon.Status(MigrationPhase.Frozen, "dumping"));
        using var interrupts = new Interrupts();
        var run = CommandRun.OfAsync(_daemon, "", interrupts, "watch", "m1");

        interrupts.Raise();

        (await run).ExitCode.ShouldBe(130);
        _daemon.CancelAsked.Task.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task AStreamThatBreaksOffIsTakenUpAgain()
    {
        var first = _daemon.AcceptMigration();
        first.TryWrite(FakeDaemon.Status(MigrationPhase.Frozen, "dumping"));
        _daemon.Answer("GET /v1/migrations/m1", async (context, _) =>
        {
            _daemon.StreamEvents().TryWrite(Done);
            await context.Response.WriteAsync(JsonSerializer.Serialize(FakeDaemon.Status(MigrationPhase.Frozen, "restoring"), ApiJson.Default.MigrationStatus));
        });
        first.Complete();

        var run = await CommandRun.OfAsync(_daemon, "migrate", "web", "h2");

        run.ExitCode.ShouldBe(0);
        run.OutputLines.ShouldContain("web -> h2  restoring");
    }

    [Fact]
    public async Task AMigrationThatIsForgottenAfterARestartIsAnError()
    {
        _daemon.AcceptMigration(FakeDaemon.Status(MigrationPhase.Frozen, "dumping"));
        _daemon.Refuse("GET /v1/migrations/m1", new ApiError("there is no migration m1", ExitCodes.Usage), 404);

        var run = await CommandRun.OfAsync(_daemon, "migrate", "web", "h2");

        run.ExitCode.ShouldBe(2);
        run.ErrorLines.ShouldBe(["ctmigrate: there is no migration m1"]);
    }
}
