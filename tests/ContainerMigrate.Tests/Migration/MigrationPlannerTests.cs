using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Host;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using ContainerMigrate.Protocol;
using NSubstitute;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

public sealed class MigrationPlannerTests : IDisposable
{
    private readonly TwoHosts _hosts = new();
    private readonly IContainerRuntime _docker = Runtime("docker");
    private readonly IContainerRuntime _runc = Runtime("runc");
    private readonly IHostInspector _host = Substitute.For<IHostInspector>();
    private readonly IContainerNetwork _network = Substitute.For<IContainerNetwork>();
    private readonly IPeer _peer = Substitute.For<IPeer>();
    private readonly MigrationPlanner _planner;

    public MigrationPlannerTests()
    {
        _host.ReadFactsAsync(default).ReturnsForAnyArgs(Samples.Facts("h1"));
        _host.ReadMemoryDemand(default!).ReturnsForAnyArgs(MemoryDemand.None);
        _host.CheckProcessesAsync(default!, default).ReturnsForAnyArgs([]);
        _network.DescribeAsync(default!, default).ReturnsForAnyArgs([]);
        _docker.InspectAsync(default!, default).ReturnsForAnyArgs(Samples.Container(withImage: true));
        _docker.CheckSourceAsync(default!, default).ReturnsForAnyArgs([]);
        _peer.Name.Returns("h2");
        _peer.CheckAsync(default!, default).ReturnsForAnyArgs(Reply());
        _planner = new MigrationPlanner(_hosts.Source.Environment with { Runtimes = [_docker, _runc], Host = _host, Network = _network });
        Finds(_docker, "web", "c0ffee000000aaaa");
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _hosts.Dispose();

    [Theory]
    [InlineData("web")]
    [InlineData("docker:web")]
    public async Task FindsTheOneThatIsMeant(string name) =>
        (await _planner.FindAsync(name, Token)).Container.ShouldBe(new ContainerReference("docker", "c0ffee000000aaaa", "web"));

    [Fact]
    public async Task PrefixNamesTheRuntime()
    {
        Finds(_runc, "web", "web");

        (await _planner.FindAsync("runc:web", Token)).Runtime.ShouldBe(_runc);
        (await _planner.FindAsync("docker:web", Token)).Runtime.ShouldBe(_docker);
    }

    [Fact]
    public async Task KeepsSharedWhatWouldNotFitItsLimitOtherwise()
    {
        // Eight processes that share 200 MiB, with 512 MiB for all of them.
        _host.ReadMemoryDemand(default!).ReturnsForAnyArgs(new MemoryDemand(512 << 20, 210 << 20, 1400L << 20));

        var auto = (await _planner.PlanAsync(new CheckRequest { Container = "web", Host = "h2" }, _peer, Token)).Report;
        var explicitly = (await _planner.PlanAsync(new CheckRequest { Container = "web", Host = "h2", Mode = MigrationModes.PreCopy }, _peer, Token)).Report;

        (auto.Mode, auto.Ok).ShouldBe((MigrationModes.StopAndCopy, true));
        auto.Findings.ShouldContain(f => f.Severity == CheckSeverity.Information && f.Message.Contains("1.6 GiB of memory in all with a limit of 512", StringComparison.Ordinal));
        (explicitly.Mode, explicitly.Ok).ShouldBe((MigrationModes.StopAndCopy, false));
    }

    [Fact]
    public async Task SaysThatSharedMemoryWillBeHeldOnceForEach()
    {
        _host.ReadMemoryDemand(default!).ReturnsForAnyArgs(new MemoryDemand(null, 210 << 20, 1400L << 20));

        var report = (await _planner.PlanAsync(new CheckRequest { Container = "web", Host = "h2" }, _peer, Token)).Report;

        report.Mode.ShouldBe(MigrationModes.PreCopy);
        report.Findings.ShouldContain(f => f.Message.Contains("1.4 GiB more than the 210 MiB of now", StringComparison.Ordinal));
    }

    [Fact]
    public async Task SaysWhatIsStillMissingOfTheLastMove()
    {
        _hosts.Source.FillingIn = true;
        var report = (await _planner.PlanAsync(new CheckRequest { Container = "web", Host = "h2" }, _peer, Token)).Report;
        report.Findings.ShouldContain(f => f.Severity == CheckSeverity.Information && f.Message.Contains("still being filled in"));

        _hosts.Source.LostMemory = "its server ended";
        report = (await _planner.PlanAsync(new CheckRequest { Container = "web", Host = "h2" }, _peer, Token)).Report;
        report.Findings.ShouldContain(f => f.Severity == CheckSeverity.Error && f.Message.Contains("its server ended"));
    }

    [Fact]
    public async Task SaysHowWrittenMemoryIsFound()
    {
        var report = (await _planner.PlanAsync(new CheckRequest { Container = "web", Host = "h2" }, _peer, Token)).Report;
        (report.Mode, report.Tracker).ShouldBe((MigrationModes.PreCopy, MemoryTrackers.WriteProtect));

        _hosts.From.Tracker = MemoryTrackers.SoftDirty;
        report = (await _planner.PlanAsync(new CheckRequest { Container = "web", Host = "h2" }, _peer, Token)).Report;
        report.Tracker.ShouldBe(MemoryTrackers.SoftDirty);
        report.Findings.ShouldContain(f => f.Check == CheckNames.Memory && f.Message.Contains("stands still for a moment", StringComparison.Ordinal));

        report = (await _planner.PlanAsync(new CheckRequest { Container = "web", Host = "h2", Mode = MigrationModes.StopAndCopy }, _peer, Token)).Report;
        (report.Mode, report.Tracker).ShouldBe((MigrationModes.StopAndCopy, ""));
    }

    [Fact]
    public async Task SameNameInTwoRuntimesIsAmbiguous()
    {
        Finds(_runc, "web", "web");

        var failure = (await Should.ThrowAsync<MigrationException>(() => _planner.FindAsync("web", Token))).Failure;

        failure.ShouldBe(new MigrationFailure("h1", "check", "'web' names 2 containers: docker:c0ffee000000, runc:web", "give it as RUNTIME:ID"));
    }

    [Fact]
    public async Task IdPrefixOfSeveralIsAmbiguous()
    {
        Finds(_docker, "c0", "c0ffee000000aaaa", "c0ffee111111bbbb");

        (await Should.ThrowAsync<MigrationException>(() => _planner.FindAsync("c0", Token))).Failure.Cause.ShouldContain("2 containers");
    }

    [Fact]
    public async Task NoneIsRefused() =>
        (await Should.ThrowAsync<MigrationException>(() => _planner.FindAsync("db", Token))).Failure.Cause.ShouldBe("no container 'db' here");

    [Theory]
    [InlineData("")]
    [InlineData("docker:")]
    [InlineData("../web")]
    [InlineData("web web")]
    [InlineData("-web")]
    [InlineData("docker:runc:web")]
    [InlineData("we\nb")]
    public async Task NameThatNoContainerCanHaveIsRefused(string name)
    {
        (await Should.ThrowAsync<MigrationException>(() => _planner.FindAsync(name, Token))).Failure.Cause.ShouldContain("is not a container's name or id");
        await _docker.DidNotReceiveWithAnyArgs().FindAsync(default!, Token);
    }

    [Fact]
    public async Task UnknownRuntimeIsRefused() =>
        (await Should.ThrowAsync<MigrationException>(() => _planner.FindAsync("podman:web", Token))).Failure.Cause.ShouldContain("'podman' is not supported");

    [Fact]
    public async Task RuntimeThatDoesNotAnswerIsNamedWhenItWasMeant()
    {
        _docker.GetStatusAsync(Token).ReturnsForAnyArgs(new RuntimeStatus(false, "", "", "there is no socket"));

        var failure = (await Should.ThrowAsync<MigrationException>(() => _planner.FindAsync("docker:web", Token))).Failure;

        failure.Cause.ShouldBe("docker is not available: there is no socket");
        failure.NextStep!.ShouldContain("doctor");
    }

    [Fact]
    public async Task AllFindingsOfBothHostsComeTogether()
    {
        _docker.CheckSourceAsync(default!, Token).ReturnsForAnyArgs([new CheckFinding(CheckNames.Mounts, CheckSeverity.Error, "", "a volume")]);
        _host.CheckProcessesAsync(default!, Token).ReturnsForAnyArgs([new CheckFinding(CheckNames.Exec, CheckSeverity.Warning, "", "an exec session")]);
        _peer.CheckAsync(default!, Token).ReturnsForAnyArgs(Reply(new CheckFinding(CheckNames.Name, CheckSeverity.Error, "somebody else", "name taken")));

        var report = (await PlanAsync()).Report;

        report.Ok.ShouldBeFalse();
        report.Findings.Select(f => (f.Check, f.Host)).ShouldBe([(CheckNames.Name, "h2"), (CheckNames.Exec, "h1"), (CheckNames.Mounts, "h1")]);
    }

    [Fact]
    public async Task SkippedErrorsAreToldAndDoNotCount()
    {
        _docker.CheckSourceAsync(default!, Token).ReturnsForAnyArgs([new CheckFinding(CheckNames.Mounts, CheckSeverity.Error, "", "a volume")]);

        var report = (await PlanAsync(CheckNames.Mounts)).Report;

        report.Ok.ShouldBeTrue();
        report.Findings.ShouldHaveSingleItem();
        report.Checked.ShouldNotContain(CheckNames.Mounts);
    }

    [Fact]
    public async Task CheckThatDoesNotExistCannotBeSkipped() =>
        (await Should.ThrowAsync<MigrationException>(() => PlanAsync("everything"))).Failure.Cause.ShouldBe("there is no check 'everything' to skip");

    [Fact]
    public async Task OnlyMissingLayersCount()
    {
        (await PlanAsync()).Report.ImageBytesToSend.ShouldBe(0);

        _peer.CheckAsync(default!, Token).ReturnsForAnyArgs(Reply() with { MissingLayers = [Samples.Digest] });
        (await PlanAsync()).Report.ImageBytesToSend.ShouldBe(1000);
    }

    [Fact]
    public async Task ManifestGoesWithTheLinksOfTheNamespace()
    {
        var link = new NetworkLink { Name = "eth0", MacAddress = "02:42:0a:4d:00:32", Kind = "veth" };
        _network.DescribeAsync("/proc/42/ns/net", Arg.Any<CancellationToken>()).Returns([link]);

        await PlanAsync();

        await _peer.Received().CheckAsync(Arg.Is<PeerCheckRequest>(r => r.Manifest.Links.Single() == link), Arg.Any<CancellationToken>());
    }

    [Fact]
    public async Task FindingOfAnUnknownCheckIsKept()
    {
        _peer.CheckAsync(default!, Token).ReturnsForAnyArgs(Reply(new CheckFinding("no such check", CheckSeverity.Error, "", "odd")));

        (await PlanAsync()).Report.Findings.ShouldHaveSingleItem().Check.ShouldBe("no such check");
    }

    private static IContainerRuntime Runtime(string name)
    {
        var runtime = Substitute.For<IContainerRuntime>();
        runtime.Name.Returns(name);
        runtime.GetStatusAsync(Token).ReturnsForAnyArgs(new RuntimeStatus(true, "1", "", ""));
        runtime.FindAsync(default!, Token).ReturnsForAnyArgs([]);
        return runtime;
    }

    private static void Finds(IContainerRuntime runtime, string name, params string[] ids)
    {
        var runtimeName = runtime.Name;
        runtime.FindAsync(name, Arg.Any<CancellationToken>()).Returns([.. ids.Select(id => new ContainerReference(runtimeName, id, name))]);
    }

    private static PeerCheckReply Reply(params CheckFinding[] findings) => new(Samples.Facts("h2") with { Clock = new ManualTime().GetUtcNow() }, findings, [], CheckNames.All);

    private Task<MigrationPlan> PlanAsync(params string[] skip) => _planner.PlanAsync(new CheckRequest { Container = "web", Host = "h2", Skip = skip }, _peer, Token);
}
