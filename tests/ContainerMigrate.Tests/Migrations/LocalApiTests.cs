using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ContainerMigrate.Api;
using ContainerMigrate.Migration;
using ContainerMigrate.Tests.Daemon;
using ContainerMigrate.Tests.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migrations;

/// <summary>A migration from the operator's request to its end, through both APIs.</summary>
public sealed class LocalApiTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WholeMigration()
    {
        await using var daemons = await TwoDaemons.StartAsync();

        var id = await StartAsync(daemons, Samples.Request);
        var last = await FollowAsync(daemons, id);

        (last.Phase, last.ExitCode, last.Failure).ShouldBe((MigrationPhase.Done, ExitCodes.Done, null));
        last.Result!.DestinationId.ShouldBe("c0ffee");
        (daemons.From.Exists, daemons.To.Runs).ShouldBe((false, true));
        daemons.To.Arrival!.Policy.ShouldBe(Machine.Always.ToJsonString());
        var there = (await daemons.Destination.Local.GetFromJsonAsync("/v1/migrations", ApiJson.Default.MigrationList, Token))!.Migrations.ShouldHaveSingleItem();
        (there.Id, there.Role, there.Phase, there.Source, there.Destination).ShouldBe((id, "destination", MigrationPhase.Done, "h1", "h2"));
        var history = (await daemons.Source.Local.GetFromJsonAsync("/v1/history?container=web", ApiJson.Default.MigrationList, Token))!;
        history.Migrations.ShouldHaveSingleItem().Id.ShouldBe(id);
    }

    [Fact]
    public async Task ThereAndBackAgain()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        await FollowAsync(daemons, await StartAsync(daemons, Samples.Request));

        // Neither host takes the first migration for one that is still under way.
        daemons.To.Exists = true;
        daemons.To.Arrival = null;
        var response = await daemons.Destination.Local.PostAsJsonAsync("/v1/migrations", Samples.Request with { Host = "h1" }, ApiJson.Default.MigrateRequest, Token);

        response.StatusCode.ShouldBe(HttpStatusCode.Accepted, await response.Content.ReadAsStringAsync(Token));
    }

    [Fact]
    public async Task FailureOnTheOtherHostIsToldHere()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        daemons.DestinationLife.Before = (s, _) => s == "restore" ? throw new MigrationException("restore", "CRIU: it broke", "the whole log is there") : Task.CompletedTask;

        var last = await FollowAsync(daemons, await StartAsync(daemons, Samples.Request));

        (last.Phase, last.ExitCode).ShouldBe((MigrationPhase.Aborted, ExitCodes.FailedSourceRunning));
        last.Failure.ShouldBe(new MigrationFailure("h2", "restore", "CRIU: it broke", "the whole log is there"));
        (last.SourceState, last.DestinationState).ShouldBe(("running", "absent"));
        (daemons.From.Runs, daemons.To.Arrival).ShouldBe((true, null));
    }

    [Fact]
    public async Task CancelledMigrationLeavesTheContainerHere()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        var reached = new TaskCompletionSource();
        daemons.SourceLife.Before = async (s, token) =>
        {
            if (s == "dump metadata")
            {
                reached.SetResult();
                await Task.Delay(Timeout.Infinite, token);
            }
        };
        var id = await StartAsync(daemons, Samples.Request);
        await reached.Task.WaitAsync(TimeSpan.FromSeconds(30), Token);

        // An unambiguous beginning of the id will do.
        (await daemons.Source.Local.PostAsync($"/v1/migrations/{id[..^2]}/cancel", null, Token)).EnsureSuccessStatusCode();

        (await FollowAsync(daemons, id)).ExitCode.ShouldBe(ExitCodes.Cancelled);
        daemons.From.Runs.ShouldBeTrue();
        var again = await daemons.Source.Local.PostAsync($"/v1/migrations/{id}/cancel", null, Token);
        (await again.Content.ReadFromJsonAsync(ApiJson.Default.ApiError, Token))!.Message.ShouldContain("it has ended");
    }

    [Fact]
    public async Task OneMigrationAtATime()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        daemons.SourceLife.Before = (s, token) => s == "dump metadata" ? Task.Delay(Timeout.Infinite, token) : Task.CompletedTask;
        var id = await StartAsync(daemons, Samples.Request);

        var second = await daemons.Source.Local.PostAsJsonAsync("/v1/migrations", Samples.Request, ApiJson.Default.MigrateRequest, Token);

        var error = await second.Content.ReadFromJsonAsync(ApiJson.Default.ApiError, Token);
        error!.ExitCode.ShouldBe(ExitCodes.Refused);
        error.Message.ShouldContain($"migration {id} of that container is under way");
    }

    [Fact]
    public async Task NothingElseIsBegunWhileOneIsInDoubt()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        var id = await InDoubtAsync(daemons);

        // Away again, and back from where it may be: the same container on both hosts.
        foreach (var (daemon, host) in ((RunningDaemon, string)[])[(daemons.Source, "h2"), (daemons.Destination, "h1")])
        {
            daemons.To.Exists = true;
            var refused = await daemon.Local.PostAsJsonAsync("/v1/migrations", Samples.Request with { Host = host }, ApiJson.Default.MigrateRequest, Token);

            var error = (await refused.Content.ReadFromJsonAsync(ApiJson.Default.ApiError, Token))!;
            (error.ExitCode, error.Failure!.Cause).ShouldBe((ExitCodes.Refused, $"migration {id} of that container is under way"));
        }

        (daemons.From.Frozen, daemons.To.Journals.Count).ShouldBe((true, 1));
    }

    [Fact]
    public async Task JournalsOfBothHostsAreShownSideBySide()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        var id = await InDoubtAsync(daemons);

        var report = await JournalsAsync(daemons, id);

        (report.Source.Host, report.Destination.Host).ShouldBe(("h1", "h2"));
        report.Source.Lines.Select(l => l.Phase).ShouldContain(MigrationPhase.Go);
        report.Destination.Lines.Select(l => l.Phase).ShouldContain(MigrationPhase.Prepared);
        // The destination answers: nobody has to decide anything.
        report.Choices.ShouldBeEmpty();
        report.Decides.ShouldContain("h2");
        (await ResolveAsync(daemons, id, "source")).Error!.Message.ShouldContain("cannot be decided for the source");
    }

    [Fact]
    public async Task OperatorDecidesForTheSourceWithoutTheDestination()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        var id = await InDoubtAsync(daemons);
        daemons.DestinationLife.Kill();
        await daemons.StopDestinationAsync();

        var report = await JournalsAsync(daemons, id);
        report.Destination.Missing.ShouldContain("h2 does not answer");
        report.Decides.ShouldContain("h2 alone knows");
        report.Choices.Select(c => c.Winner).ShouldBe(Winners.All);
        (await ResolveAsync(daemons, id, "both")).Error!.ExitCode.ShouldBe(ExitCodes.Usage);
        var (status, _) = await ResolveAsync(daemons, id, "source");

        status.ShouldNotBeNull();
        var last = await FollowAsync(daemons, id);
        (last.Phase, last.ExitCode, last.SourceState, last.DestinationState).ShouldBe((MigrationPhase.Aborted, ExitCodes.FailedSourceRunning, "running", "unknown"));
        (daemons.From.Frozen, daemons.From.Fenced, daemons.From.Refused).ShouldBe((false, false, false));
        (await ResolveAsync(daemons, id, "destination")).Error!.Message.ShouldContain("decided: web belongs to h1");
        (await ResolveAsync(daemons, "nothing", "source")).Error!.Message.ShouldContain("there is no migration 'nothing'");
    }

    [Fact]
    public async Task StoppedDaemonGivesTheContainerBackFirst()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        var reached = new TaskCompletionSource();
        daemons.SourceLife.Before = async (s, token) =>
        {
            if (s == "dump metadata")
            {
                reached.SetResult();
                await Task.Delay(Timeout.Infinite, token);
            }
        };
        await StartAsync(daemons, Samples.Request);
        await reached.Task.WaitAsync(TimeSpan.FromSeconds(30), Token);

        await daemons.StopSourceAsync();

        (daemons.From.Frozen, daemons.From.Fenced, daemons.To.Arrival).ShouldBe((false, false, null));
    }

    [Fact]
    public async Task RuntimeThatDoesNotAnswerDoesNotHoldUpTheDaemon()
    {
        using var hosts = new TwoHosts();
        hosts.Destination.After += s => hosts.Destination.End(s == "record Committed");
        await hosts.MigrateAsync();
        hosts.RestartDestination();
        hosts.Destination.Before = (s, _) => s == "open" ? Task.Delay(Timeout.Infinite, Token) : Task.CompletedTask;

        await using var daemon = await RunningDaemon.StartAsync("h2", new EngineModule(hosts.Destination.Environment));

        var taken = (await daemon.Local.GetFromJsonAsync("/v1/migrations", ApiJson.Default.MigrationList, Token))!.Migrations.ShouldHaveSingleItem();
        (taken.Phase, taken.Activity).ShouldBe((MigrationPhase.Committed, "recovering"));
    }

    [Theory]
    [InlineData("""{"container":"db","host":"h2"}""", ExitCodes.Refused, "no container 'db' here")]
    [InlineData("""{"container":"web","host":"h9"}""", ExitCodes.Refused, "h9 is not paired with this host")]
    [InlineData("""{"container":"web","host":"h1"}""", ExitCodes.Refused, "h1 is this host")]
    [InlineData("""{"container":"web","host":"localhost"}""", ExitCodes.Refused, "localhost is this host")]
    [InlineData("""{"container":"web","host":"h2","skip":["all"]}""", ExitCodes.Refused, "there is no check 'all'")]
    [InlineData("""{"container":"web","host":"h2","mode":"quick"}""", ExitCodes.Usage, "mode 'quick'")]
    [InlineData("""{"container":"web","host":"h2","deadline_seconds":-1}""", ExitCodes.Usage, "deadline")]
    [InlineData("""{"container":"web"}""", ExitCodes.Usage, "cannot be read")]
    [InlineData("null", ExitCodes.Usage, "cannot be read")]
    [InlineData("garbage", ExitCodes.Usage, "cannot be read")]
    public async Task WrongRequestIsRefusedAndTouchesNothing(string body, int exitCode, string message)
    {
        await using var daemons = await TwoDaemons.StartAsync();
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");

        var response = await daemons.Source.Local.PostAsync("/v1/migrations", content, Token);

        var error = (await response.Content.ReadFromJsonAsync(ApiJson.Default.ApiError, Token))!;
        error.ExitCode.ShouldBe(exitCode, error.Message);
        error.Message.ShouldContain(message);
        daemons.From.Journals.ShouldBeEmpty();
        daemons.SourceLife.Log.ShouldBeEmpty();
    }

    [Fact]
    public async Task DryRunTouchesNothing()
    {
        await using var daemons = await TwoDaemons.StartAsync();

        var last = await FollowAsync(daemons, await StartAsync(daemons, Samples.Request with { DryRun = true }));

        last.ExitCode.ShouldBe(ExitCodes.Done);
        daemons.From.Journals.ShouldBeEmpty();
        daemons.To.Journals.ShouldBeEmpty();
    }

    [Fact]
    public async Task HostThatDoesNotAnswerIsRefused()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        await daemons.StopDestinationAsync();

        var response = await daemons.Source.Local.PostAsJsonAsync("/v1/check", new CheckRequest { Container = "web", Host = "h2" }, ApiJson.Default.CheckRequest, Token);

        var error = (await response.Content.ReadFromJsonAsync(ApiJson.Default.ApiError, Token))!;
        (error.ExitCode, error.Failure!.Host).ShouldBe((ExitCodes.Refused, "h2"));
    }

    // The destination hears of GO and does not answer.
    private static async Task<string> InDoubtAsync(TwoDaemons daemons)
    {
        daemons.DestinationLife.Before = (s, _) => s == "claim" ? throw new MigrationException("commit", "not now") : Task.CompletedTask;
        var id = await StartAsync(daemons, Samples.Request);
        using var stream = new StreamReader(await daemons.Source.Local.GetStreamAsync($"/v1/migrations/{id}/events", Token));
        while (JsonSerializer.Deserialize((await stream.ReadLineAsync(Token))!, ApiJson.Default.MigrationStatus)!.Phase != MigrationPhase.InDoubt)
        {
        }

        return id;
    }

    private static async Task<JournalsReport> JournalsAsync(TwoDaemons daemons, string id) =>
        (await daemons.Source.Local.GetFromJsonAsync($"/v1/migrations/{id}/journals", ApiJson.Default.JournalsReport, Token))!;

    private static async Task<(MigrationStatus? Status, ApiError? Error)> ResolveAsync(TwoDaemons daemons, string id, string winner)
    {
        var response = await daemons.Source.Local.PostAsJsonAsync($"/v1/migrations/{id}/resolve", new ResolveRequest(winner), ApiJson.Default.ResolveRequest, Token);
        return response.IsSuccessStatusCode
            ? (await response.Content.ReadFromJsonAsync(ApiJson.Default.MigrationStatus, Token), null)
            : (null, await response.Content.ReadFromJsonAsync(ApiJson.Default.ApiError, Token));
    }

    private static async Task<string> StartAsync(TwoDaemons daemons, MigrateRequest request)
    {
        var response = await daemons.Source.Local.PostAsJsonAsync("/v1/migrations", request, ApiJson.Default.MigrateRequest, Token);
        response.StatusCode.ShouldBe(HttpStatusCode.Accepted, await response.Content.ReadAsStringAsync(Token));
        return (await response.Content.ReadFromJsonAsync(ApiJson.Default.MigrationAccepted, Token))!.Id;
    }

    private static async Task<MigrationStatus> FollowAsync(TwoDaemons daemons, string id)
    {
        using var stream = new StreamReader(await daemons.Source.Local.GetStreamAsync($"/v1/migrations/{id}/events", Token));
        MigrationStatus? last = null;
        while (await stream.ReadLineAsync(Token) is { } line)
        {
            last = JsonSerializer.Deserialize(line, ApiJson.Default.MigrationStatus);
        }

        return last!;
    }
}
