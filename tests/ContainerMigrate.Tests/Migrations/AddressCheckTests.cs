using System.Net;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Daemon.Migrations;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using ContainerMigrate.Protocol;
using ContainerMigrate.Tests.Migration;
using Microsoft.Extensions.Logging.Abstractions;
using NSubstitute;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migrations;

/// <summary>The destination asks its segment who has the container's addresses.</summary>
public sealed class AddressCheckTests : IDisposable
{
    private const string Mac = "02:42:0a:4d:00:32";

    private readonly TwoHosts _hosts = new();
    private readonly IContainerRuntime _runtime = Substitute.For<IContainerRuntime>();
    private readonly IContainerNetwork _network = Substitute.For<IContainerNetwork>();
    private readonly PeerMigrations _arrivals;

    public AddressCheckTests()
    {
        _runtime.Name.Returns("docker");
        _runtime.GetStatusAsync(default).ReturnsForAnyArgs(new RuntimeStatus(true, "28", "", ""));
        _runtime.CheckTargetAsync(default!, default).ReturnsForAnyArgs([]);
        _runtime.FindHostLinksAsync(default!, default).ReturnsForAnyArgs(new Dictionary<string, string> { ["eth0"] = "lan0" });
        _arrivals = new PeerMigrations(_hosts.Destination.Environment with { Runtimes = [_runtime], Network = _network }, _hosts.Destination.Index, NullLoggerFactory.Instance);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _hosts.Dispose();

    [Theory]
    [InlineData(Mac)]
    [InlineData("02:42:0A:4D:00:32")]
    public async Task ContainersOwnAnswerProvesTheSegment(string answer)
    {
        Answers(answer);

        (await CheckAsync(Link("macvlan"))).ShouldBeEmpty();
    }

    [Fact]
    public async Task AnswerOfAnotherIsAConflict()
    {
        Answers("02:00:00:00:00:99");

        var finding = (await CheckAsync(Link("macvlan"))).ShouldHaveSingleItem();

        (finding.Check, finding.Severity, finding.Host).ShouldBe((CheckNames.Address, CheckSeverity.Error, "h2"));
        finding.Message.ShouldBe($"10.77.0.50 is in use by 02:00:00:00:00:99 behind lan0; the container's own address is {Mac}");
    }

    [Theory]
    [InlineData("macvlan", CheckSeverity.Error)]
    [InlineData("veth", CheckSeverity.Warning)]
    public async Task SilenceMeansAnotherSegment(string kind, CheckSeverity severity)
    {
        Answers(null);

        var finding = (await CheckAsync(Link(kind))).ShouldHaveSingleItem();

        (finding.Check, finding.Severity).ShouldBe((CheckNames.Address, severity));
        finding.Message.ShouldContain("do not share that network segment");
    }

    [Fact]
    public async Task ProbeThatFailsIsAFinding()
    {
        _network.ProbeAsync(default!, default!, default, Token).ReturnsForAnyArgs(Task.FromException<string?>(new MigrationException("network", "lan0 is down")));

        (await CheckAsync(Link("macvlan"))).ShouldHaveSingleItem().Message.ShouldBe("10.77.0.50 could not be looked for behind lan0: lan0 is down");
    }

    [Fact]
    public async Task LinkLocalAddressesAndUnknownLinksAreNotAskedFor()
    {
        Answers(null);

        (await CheckAsync(Link("macvlan") with { Addresses = ["fe80::1/64"] }, Link("macvlan") with { Name = "eth1" })).ShouldBeEmpty();

        await _network.DidNotReceiveWithAnyArgs().ProbeAsync(default!, default!, default, Token);
    }

    [Fact]
    public async Task RuntimeThatIsNotThereIsTheOnlyFinding()
    {
        _runtime.GetStatusAsync(Token).ReturnsForAnyArgs(new RuntimeStatus(false, "", "", "there is no socket"));

        var finding = (await CheckAsync(Link("macvlan"))).ShouldHaveSingleItem();

        (finding.Check, finding.Message).ShouldBe((CheckNames.Runtime, "docker is not available: there is no socket"));
    }

    [Fact]
    public async Task RefusedReservationLeavesNothing()
    {
        Answers("02:00:00:00:00:99");

        var reply = await _arrivals.ReserveAsync(new ReserveRequest("x", 1, Manifest(Link("macvlan")), Samples.Facts("h1"), [], 60, 10), "h1", Token);

        reply.Reserved.ShouldBeFalse();
        reply.Findings.ShouldHaveSingleItem().Check.ShouldBe(CheckNames.Address);
        _hosts.To.Journals.ShouldBeEmpty();
        _hosts.Destination.Index.All.ShouldBeEmpty();
    }

    [Fact]
    public async Task SkippedFindingDoesNotRefuseTheReservation()
    {
        Answers("02:00:00:00:00:99");

        var reply = await _arrivals.ReserveAsync(new ReserveRequest("x", 1, Manifest(Link("macvlan")), Samples.Facts("h1"), [CheckNames.Address], 60, 10), "h1", Token);

        reply.Reserved.ShouldBeTrue();
    }

    private static NetworkLink Link(string kind) => new() { Name = "eth0", MacAddress = Mac, Kind = kind, HostLink = "lan0", Addresses = ["10.77.0.50/24", "fe80::42:aff:fe4d:32/64"] };

    private static ContainerManifest Manifest(params NetworkLink[] links) => Samples.Manifest() with { Links = links };

    private void Answers(string? mac) => _network.ProbeAsync("lan0", IPAddress.Parse("10.77.0.50"), Arg.Any<TimeSpan>(), Arg.Any<CancellationToken>()).Returns(mac);

    private async Task<IReadOnlyList<CheckFinding>> CheckAsync(params NetworkLink[] links) =>
        (await _arrivals.CheckAsync(new PeerCheckRequest(Manifest(links), Samples.Facts("h1"), []), "h1", Token)).Findings;
}
