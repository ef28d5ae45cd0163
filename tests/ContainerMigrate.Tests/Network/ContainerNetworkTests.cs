using System.Net;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Network;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Network;

/// <summary>The host's side of these links is in this machine's own namespace: names are unlikely ones, all removed at the end.</summary>
public sealed class ContainerNetworkTests : IAsyncLifetime
{
    private static int _count;

    private readonly ProcessRunner _runner = new();
    private readonly ContainerNetwork _network;
    private readonly string _bridge = $"ctmt{Environment.ProcessId % 100000}-{Interlocked.Increment(ref _count)}";

    public ContainerNetworkTests() => _network = new ContainerNetwork(_runner);

    public async ValueTask InitializeAsync()
    {
        if (Environment.IsPrivilegedProcess)
        {
            await RunAsync($"ip link add {_bridge} type bridge");
            await RunAsync($"ip link set {_bridge} up");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Environment.IsPrivilegedProcess)
        {
            await RunAsync($"ip link del {_bridge}");
        }
    }

    [Theory]
    [InlineData("veth", null)]
    [InlineData("macvlan", "bridge")]
    [InlineData("macvlan", "private")]
    [InlineData("ipvlan", "l3")]
    public async Task RebuildsWhatItDescribes(string kind, string? mode)
    {
        await using var ns = await ScratchNetworkNamespace.CreateAsync();
        Assert.SkipWhen(
            (await ns.TryAsync($"ip link add probe type {kind}")).StandardError.Contains("Unknown device type", StringComparison.Ordinal),
            $"needs {kind}, which this kernel lacks");
        await ns.TryAsync("ip link del probe");
        var link = new NetworkLink
        {
            Name = "eth0",
            MacAddress = "02:42:0a:4d:00:32",
            Kind = kind,
            Mode = mode,
            Mtu = 1400,
            HostLink = _bridge,
            Addresses = ["192.0.2.50/24", "192.0.2.51/24", "2001:db8:77::50/64", "fe80::42:aff:fe4d:32/64"],
            Routes =
            [
                new NetworkRoute("default", "192.0.2.1", 4),
                new NetworkRoute("198.51.100.0/24", null, 4),
                new NetworkRoute("203.0.113.7/32", "192.0.2.9", 4),
                new NetworkRoute("::/0", "fe80::1", 6),
            ],
        };

        await _network.BuildAsync(ns.Path, [link], CancellationToken.None);
        var described = (await _network.DescribeAsync(ns.Path, CancellationToken.None)).ShouldHaveSingleItem();

        described.Addresses.ShouldBe(link.Addresses, ignoreOrder: true);
        described.Routes.ShouldBe(link.Routes, ignoreOrder: true);
        (described with { Addresses = [], Routes = [], MacAddress = "" }).ShouldBe(link with { Addresses = described.Addresses, Routes = described.Routes } with { Addresses = [], Routes = [], MacAddress = "" });
        described.MacAddress.ShouldBe(kind == "ipvlan" ? described.MacAddress : link.MacAddress);
        (await ns.RunAsync("ip -6 addr show dev eth0")).ShouldNotContain("tentative");
        ManifestValidator.FindProblem(Manifest(described)).ShouldBeNull();
    }

    [Fact]
    public async Task BuildsSeveralLinksAndALinkOfAPointToPointHost()
    {
        await using var ns = await ScratchNetworkNamespace.CreateAsync();
        NetworkLink[] links =
        [
            Veth("eth0") with { Addresses = ["192.0.2.50/32"], Routes = [new NetworkRoute("default", "169.254.1.1", 4)] },
            Veth("eth1") with { MacAddress = "02:42:0a:4d:00:33" },
        ];

        await _network.BuildAsync(ns.Path, links, CancellationToken.None);

        var described = await _network.DescribeAsync(ns.Path, CancellationToken.None);
        described.Select(link => (link.Name, link.MacAddress, link.HostLink)).ShouldBe(
            [("eth0", "02:42:0a:4d:00:32", _bridge), ("eth1", "02:42:0a:4d:00:33", _bridge)], ignoreOrder: true);
        described.Single(link => link.Name == "eth0").Routes.ShouldBe(links[0].Routes);
    }

    [Fact]
    public async Task LeavesNothingBehindWhenItFails()
    {
        await using var ns = await ScratchNetworkNamespace.CreateAsync();
        NetworkLink[] links = [Veth("eth0"), Veth("eth1") with { Addresses = ["192.0.2.50/24"], Routes = [new NetworkRoute("default", "2001:db8::1", 4)] }];

        var failure = await Should.ThrowAsync<MigrationException>(() => _network.BuildAsync(ns.Path, links, CancellationToken.None));

        failure.Failure.Cause.ShouldStartWith("the container's network cannot be made: ip: ");
        (await _network.DescribeAsync(ns.Path, CancellationToken.None)).ShouldBeEmpty();
        (await RunAsync($"ip link show master {_bridge}")).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("no such bridge", "this host has no link")]
    [InlineData("lo", "is no bridge")]
    [InlineData(null, "no port of a bridge")]
    public async Task RefusesABridgeThatIsNotThere(string? bridge, string reason)
    {
        await using var ns = await ScratchNetworkNamespace.CreateAsync();

        var failure = await Should.ThrowAsync<MigrationException>(() => _network.BuildAsync(ns.Path, [Veth("eth0") with { HostLink = bridge }], CancellationToken.None));

        failure.Failure.Cause.ShouldContain(reason);
    }

    [Theory]
    [InlineData("-all")]
    [InlineData("x\nlink")]
    [InlineData("\"x")]
    [InlineData("#x")]
    [InlineData("lo")]
    public async Task RefusesNamesThatIpWouldReadOtherwise(string name)
    {
        await using var ns = await ScratchNetworkNamespace.CreateAsync();

        await Should.ThrowAsync<MigrationException>(() => _network.BuildAsync(ns.Path, [Veth(name)], CancellationToken.None));
    }

    [Fact]
    public async Task RefusesTheHostsOwnNamespace() =>
        await Should.ThrowAsync<MigrationException>(() => _network.BuildAsync("/proc/self/ns/net", [Veth("eth0")], CancellationToken.None));

    [Fact]
    public async Task FindsOutWhoHasAnAddress()
    {
        await using var ns = await ScratchNetworkNamespace.CreateAsync();
        await _network.BuildAsync(ns.Path, [Veth("eth0") with { Addresses = ["192.0.2.50/24", "2001:db8:77::50/64"] }], CancellationToken.None);
        await UntilForwardingAsync();

        (await ProbeAsync("192.0.2.50")).ShouldBe("02:42:0a:4d:00:32");
        (await ProbeAsync("2001:db8:77::50")).ShouldBe("02:42:0a:4d:00:32");
        (await ProbeAsync("192.0.2.51")).ShouldBeNull();
        (await ProbeAsync("2001:db8:77::51")).ShouldBeNull();
        await Should.ThrowAsync<MigrationException>(() => _network.ProbeAsync("nosuchlink", IPAddress.Loopback, TimeSpan.FromSeconds(1), CancellationToken.None));
    }

    private Task<string?> ProbeAsync(string address) =>
        _network.ProbeAsync(_bridge, IPAddress.Parse(address), TimeSpan.FromMilliseconds(600), CancellationToken.None);

    // Until the port's carrier has been noticed, the bridge forwards nothing.
    private async Task UntilForwardingAsync()
    {
        while (await ProbeAsync("192.0.2.50") is null)
        {
        }

        while (await ProbeAsync("2001:db8:77::50") is null)
        {
        }
    }

    private NetworkLink Veth(string name) => new() { Name = name, MacAddress = "02:42:0a:4d:00:32", Kind = "veth", HostLink = _bridge };

    private static ContainerManifest Manifest(NetworkLink link) =>
        new() { Runtime = "runc", SourceId = "c", Name = "c", Links = [link], Settings = [] };

    private async Task<string> RunAsync(string commandLine)
    {
        var words = commandLine.Split(' ');
        var result = await _runner.RunAsync(new ProcessCommand(words[0], words[1..]), CancellationToken.None);
        result.Succeeded.ShouldBeTrue($"{commandLine}: {result.FailureReason}");
        return result.StandardOutput;
    }
}
