using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Cli.Following;
using ContainerMigrate.Migration;
using Microsoft.AspNetCore.Http;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Cli;

public sealed class VerbTests : IAsyncLifetime
{
    private static readonly HostStatus H2 = new() { Name = "h2", Address = "10.77.0.12:7440", Fingerprint = "3F:90:AA:BB:CC", Reachable = true, Version = "0.1.0", RoundTripMs = 0.43, ClockOffsetMs = -1.2 };

    private FakeDaemon _daemon = null!;

    public async ValueTask InitializeAsync() => _daemon = await FakeDaemon.StartAsync();

    public ValueTask DisposeAsync() => _daemon.DisposeAsync();

    [Fact]
    public async Task CheckPrintsTheFindingsWorstFirstAndTheVerdict()
    {
        _daemon.Answer("POST /v1/check", Report(ok: false), ApiJson.Default.CheckReport);

        var run = await CommandRun.OfAsync(_daemon, "check", "web", "h2");

        run.ExitCode.ShouldBe(10);
        run.Output.ShouldBe(
            """
            docker:web  h1 -> h2

              error    memory  h2  needs 1.2 GiB, 0.9 GiB is available
                                   next: free memory on h2
              warning  clock   h2  42 ms ahead of h1
              ok                   criu, kernel

            to send: 300 MiB memory, 12 MiB files, no image data
            predicted pause: 840 ms (stop-and-copy; from constants: nothing has moved to h2 this way yet)
            web cannot move to h2: see memory
            to try it all the same: --skip memory

            """);
    }

    [Fact]
    public async Task CheckMarksWhatWasSkipped()
    {
        _daemon.Answer("POST /v1/check", Report(ok: true), ApiJson.Default.CheckReport);

        var run = await CommandRun.OfAsync(_daemon, "check", "web", "h2", "--skip", "memory");

        run.ExitCode.ShouldBe(0);
        run.Output.ShouldContain("  skipped  memory  h2  needs 1.2 GiB");
        run.OutputLines[^1].ShouldBe("web can move to h2");
    }

    [Fact]
    public async Task CheckSaysWhatBecomesOfEachMount()
    {
        var report = Report(ok: true) with
        {
            Mounts =
            [
                new MountReport { Kind = "volume", Source = "data", Target = "/var/data", Action = "copy", Bytes = 83 << 20, Entries = 1200 },
                new MountReport { Kind = "volume", Source = "data", Target = "/again", ReadOnly = true, Action = "copy", Bytes = 83 << 20, Entries = 1200 },
                new MountReport { Kind = "volume", Target = "/cache", Action = "empty" },
                new MountReport { Kind = "bind", Source = "/etc/tls", Target = "/etc/tls", ReadOnly = true, Action = "same" },
                new MountReport { Kind = "tmpfs", Target = "/tmp", Action = "memory" },
            ],
        };
        _daemon.Answer("POST /v1/check", report, ApiJson.Default.CheckReport);

        var run = await CommandRun.OfAsync(_daemon, "check", "web", "h2", "--volume", "/cache=empty");

        run.Output.ShouldContain(
            """

              volume  /var/data (data)  goes along: 83 MiB, 1200 entries
              volume  /again (data)     goes along: 83 MiB, 1200 entries
              volume  /cache            empty on the destination
              bind    /etc/tls          the same on both hosts: nothing to copy
              tmpfs   /tmp              goes with the container's memory

            to send: 300 MiB memory, 95 MiB files, no image data

            """);
        System.Text.Json.JsonSerializer.Deserialize(_daemon.Asked.Single().Body, ApiJson.Default.CheckRequest)!.Volumes.ShouldBe(["/cache=empty"]);
    }

    [Fact]
    public async Task StatusShowsOnlyWhatIsUnderWay()
    {
        _daemon.Answer("GET /v1/migrations", new MigrationList(
        [
            FakeDaemon.Status(MigrationPhase.Frozen, "dumping"),
            FakeDaemon.Ended(MigrationPhase.Done) with { Id = "m0" },
        ]), ApiJson.Default.MigrationList);

        var run = await CommandRun.OfAsync(_daemon, "status");

        run.OutputLines.Length.ShouldBe(2);
        run.OutputLines[1].ShouldStartWith("m1  web        h1    h2");
        run.OutputLines[1].ShouldEndWith("dumping");
    }

    [Fact]
    public async Task StatusOfOneTellsWhatEachHostWasLeftWith()
    {
        _daemon.Answer("GET /v1/migrations/m1", FakeDaemon.Ended(MigrationPhase.Aborted, ExitCodes.FailedSourceRunning) with
        {
            Failure = new MigrationFailure("h2", "restore", "no space left", "free some"),
        }, ApiJson.Default.MigrationStatus);

        var run = await CommandRun.OfAsync(_daemon, "status", "m1");

        run.ExitCode.ShouldBe(0);
        run.Output.ShouldContain("  result     failed: h2: restore: no space left\n");
        run.Output.ShouldContain("  next       free some\n");
        run.Output.ShouldContain("  now        web runs on h1 as before; nothing is left on h2\n");
    }

    [Fact]
    public async Task HistoryIsAskedForOneContainer()
    {
        _daemon.Answer("GET /v1/history?container=web%2F1", new MigrationList([]), ApiJson.Default.MigrationList);

        var run = await CommandRun.OfAsync(_daemon, "history", "web/1");

        run.ShouldBe(new CommandRun(0, "no migration has finished here\n", ""));
    }

    [Fact]
    public async Task WatchWithoutAnIdTakesTheOnlyOne()
    {
        _daemon.AcceptMigration(FakeDaemon.Ended(MigrationPhase.Done));
        _daemon.Answer("GET /v1/migrations", new MigrationList([FakeDaemon.Status(MigrationPhase.Frozen)]), ApiJson.Default.MigrationList);

        (await CommandRun.OfAsync(_daemon, "watch")).ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task WatchWithoutAnIdDoesNotGuess()
    {
        _daemon.Answer(
            "GET /v1/migrations",
            new MigrationList([FakeDaemon.Status(MigrationPhase.Frozen), FakeDaemon.Status(MigrationPhase.Planned) with { Id = "m2" }]),
            ApiJson.Default.MigrationList);

        var run = await CommandRun.OfAsync(_daemon, "watch");

        run.ExitCode.ShouldBe(2);
        run.ErrorLines[0].ShouldBe("ctmigrate: 2 migrations are under way: m1, m2");
    }

    [Fact]
    public async Task HostsShowsBothSidesOfEveryPairing()
    {
        _daemon.Answer("GET /v1/hosts", new HostsReport
        {
            Self = "h1",
            Fingerprint = "AB:5C",
            Hosts = [H2, H2 with { Name = "h3", Reachable = false, Detail = "connection refused", RoundTripMs = null, ClockOffsetMs = null, Version = "" }],
            OpenCode = new PairingCode("1234-5678", DateTimeOffset.UnixEpoch, "h9"),
        }, ApiJson.Default.HostsReport);

        var run = await CommandRun.OfAsync(_daemon, "hosts");

        run.Output.ShouldContain("pairing code for h9: 1234-5678");
        run.OutputLines[^2].ShouldBe("h2    10.77.0.12:7440  3F:90:AA:...  0.4 ms  -1.2 ms  0.1.0    reachable");
        run.OutputLines[^1].ShouldBe("h3    10.77.0.12:7440  3F:90:AA:...  -       -        -        unreachable: connection refused");
    }

    [Fact]
    public async Task PairingAsksForTheCodeThatTheOtherSideShows()
    {
        _daemon.Answer("POST /v1/hosts/pair", (context, body) => context.Response.WriteAsync(
            body.Contains("4711", StringComparison.Ordinal)
                ? """{"paired":true,"message":"","host":{"name":"h2","address":"10.77.0.12:7440","fingerprint":"3F:90"}}"""
                : """{"paired":false,"message":"h2 shows a code"}"""));

        var run = await CommandRun.OfAsync(_daemon, " 4711 \n", new Interrupts(), "hosts", "pair", "h2");

        run.ExitCode.ShouldBe(0);
        run.Error.ShouldBe("h2 shows a code\n");
        run.OutputLines.ShouldBe(["paired with h2", "  address      10.77.0.12:7440", "  fingerprint  3F:90"]);
        _daemon.Asked.Select(a => a.Body).ShouldBe(["""{"host":"h2"}""", """{"host":"h2","code":"4711"}"""]);
    }

    [Fact]
    public async Task PairingWithoutACodeFromAPipeIsAUsageError()
    {
        _daemon.Answer("POST /v1/hosts/pair", new PairReply(false, null, "h2 shows a code"), ApiJson.Default.PairReply);

        (await CommandRun.OfAsync(_daemon, "", new Interrupts(), "hosts", "pair", "h2")).ExitCode.ShouldBe(2);
    }

    [Fact]
    public async Task AHostIsRemovedByName()
    {
        _daemon.Answer("DELETE /v1/hosts/h2", (context, _) =>
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        });

        (await CommandRun.OfAsync(_daemon, "hosts", "remove", "h2")).ExitCode.ShouldBe(0);
    }

    [Theory]
    [InlineData("error", 10)]
    [InlineData("warning", 0)]
    public async Task DoctorFailsOnlyForWhatIsNeeded(string status, int exitCode)
    {
        _daemon.Answer("GET /v1/doctor", new DoctorReport("h1", "0.1.0", [new DoctorItem("criu", status, "there is none", "apt-get install criu")]), ApiJson.Default.DoctorReport);

        var run = await CommandRun.OfAsync(_daemon, "doctor");

        run.ExitCode.ShouldBe(exitCode);
        run.Output.ShouldContain("next: apt-get install criu");
    }

    [Fact]
    public async Task AnnouncePrintsWhatWasAnnounced()
    {
        _daemon.Answer("POST /v1/announce", new AnnounceReply(["10.77.0.50 is at 02:42:0a:4d:00:32"]), ApiJson.Default.AnnounceReply);

        (await CommandRun.OfAsync(_daemon, "announce", "web")).Output.ShouldBe("10.77.0.50 is at 02:42:0a:4d:00:32\n");
    }

    [Fact]
    public async Task ADaemonThatDoesNotRunIsNamedWithWhatToDo()
    {
        var run = await CommandRun.OfAsync("", new Interrupts(), "hosts", "--socket", "/nonexistent/s");

        run.ShouldBe(new CommandRun(
            ExitCodes.DaemonUnreachable,
            "",
            "ctmigrate: cannot reach ctmigrated at /nonexistent/s: no such socket\n  next: start the daemon: systemctl start ctmigrated\n"));
    }

    [Fact]
    public async Task ASocketPathThatIsTooLongIsSaidToBe()
    {
        var run = await CommandRun.OfAsync("", new Interrupts(), "hosts", "--socket", "/" + new string('s', 200));

        run.ExitCode.ShouldBe(ExitCodes.DaemonUnreachable);
        run.ErrorLines[0].ShouldStartWith("ctmigrate: cannot reach ctmigrated at /sss");
    }

    [Fact]
    public async Task AnAnswerThatIsNotTheApisIsOneLineToo()
    {
        var run = await CommandRun.OfAsync(_daemon, "doctor");

        run.ExitCode.ShouldBe(ExitCodes.DaemonUnreachable);
        run.ErrorLines.ShouldBe(["ctmigrate: ctmigrated answered 404 Not Found", "  next: ctmigrate and ctmigrated may be of different versions"]);
    }

    private static CheckReport Report(bool ok) => new()
    {
        Container = "web",
        Runtime = "docker",
        Source = "h1",
        Destination = "h2",
        Checked = [CheckNames.Criu, CheckNames.Kernel, CheckNames.Memory, CheckNames.Clock],
        Findings =
        [
            new CheckFinding(CheckNames.Clock, CheckSeverity.Warning, "h2", "42 ms ahead of h1"),
            new CheckFinding(CheckNames.Memory, CheckSeverity.Error, "h2", "needs 1.2 GiB, 0.9 GiB is available", "free memory on h2"),
        ],
        PredictedPauseMs = 840,
        MemoryBytes = 300 << 20,
        WritableLayerBytes = 12 << 20,
        Ok = ok,
    };
}
