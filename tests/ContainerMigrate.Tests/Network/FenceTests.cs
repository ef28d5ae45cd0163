using ContainerMigrate.Linux.Network;
using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Network;

public sealed class FenceTests
{
    private readonly NftFence _fence = new();

    [Fact]
    public async Task DropsEveryPacketUntilLifted()
    {
        await using var ns = await ScratchNetworkNamespace.CreateAsync();
        (await ns.CarriesPacketsAsync()).ShouldBeTrue();

        await _fence.RaiseAsync(ns.Path, CancellationToken.None);

        (await _fence.IsRaisedAsync(ns.Path, CancellationToken.None)).ShouldBeTrue();
        (await ns.CarriesPacketsAsync()).ShouldBeFalse();

        await _fence.LiftAsync(ns.Path, CancellationToken.None);

        (await _fence.IsRaisedAsync(ns.Path, CancellationToken.None)).ShouldBeFalse();
        (await ns.CarriesPacketsAsync()).ShouldBeTrue();
        (await ns.RunAsync("nft list ruleset")).ShouldBeEmpty();
    }

    [Fact]
    public async Task KeepsTheKernelFromAnsweringArp()
    {
        await using var container = await ScratchNetworkNamespace.CreateAsync();
        await using var neighbour = await ScratchNetworkNamespace.CreateAsync();
        await container.RunAsync($"ip link add eth0 type veth peer name eth0 netns {neighbour.Name}");
        await container.RunAsync("ip addr add 192.0.2.1/24 dev eth0");
        await container.RunAsync("ip link set eth0 up");
        await neighbour.RunAsync("ip addr add 192.0.2.2/24 dev eth0");
        await neighbour.RunAsync("ip link set eth0 up");

        await _fence.RaiseAsync(container.Path, CancellationToken.None);
        (await neighbour.CanConnectAsync("192.0.2.1")).ShouldBeFalse();
        (await neighbour.RunAsync("ip neigh show")).ShouldNotContain("lladdr");

        await _fence.LiftAsync(container.Path, CancellationToken.None);
        await neighbour.RunAsync("ip neigh flush dev eth0");
        await neighbour.CanConnectAsync("192.0.2.1");
        (await neighbour.RunAsync("ip neigh show")).ShouldContain("lladdr");
    }

    [Fact]
    public async Task ClosesAFenceThatARuleHadOpened()
    {
        await using var ns = await ScratchNetworkNamespace.CreateAsync();
        await _fence.RaiseAsync(ns.Path, CancellationToken.None);
        await ns.RunAsync("nft add rule inet ctmigrate input accept");
        await ns.RunAsync("nft add rule inet ctmigrate output accept");
        (await ns.CarriesPacketsAsync()).ShouldBeTrue();

        await _fence.RaiseAsync(ns.Path, CancellationToken.None);

        (await ns.CarriesPacketsAsync()).ShouldBeFalse();
    }

    [Fact]
    public async Task CanBeRaisedAndLiftedTwice()
    {
        await using var ns = await ScratchNetworkNamespace.CreateAsync();
        await _fence.LiftAsync(ns.Path, CancellationToken.None);
        await _fence.RaiseAsync(ns.Path, CancellationToken.None);
        await _fence.RaiseAsync(ns.Path, CancellationToken.None);
        (await _fence.IsRaisedAsync(ns.Path, CancellationToken.None)).ShouldBeTrue();
        await _fence.LiftAsync(ns.Path, CancellationToken.None);
        await _fence.LiftAsync(ns.Path, CancellationToken.None);
        (await _fence.IsRaisedAsync(ns.Path, CancellationToken.None)).ShouldBeFalse();
    }

    [Fact]
    public async Task RefusesTheHostsOwnNamespace()
    {
        var failure = await Should.ThrowAsync<MigrationException>(() => _fence.RaiseAsync("/proc/self/ns/net", CancellationToken.None));

        failure.Failure.Cause.ShouldContain("cut off the host");
        (await _fence.IsRaisedAsync("/proc/self/ns/net", CancellationToken.None)).ShouldBeFalse();
        await _fence.LiftAsync("/proc/self/ns/net", CancellationToken.None);
    }

    [Fact]
    public async Task HasNothingToLiftWhereTheNamespaceIsGone()
    {
        await _fence.LiftAsync("/proc/4194304/ns/net", CancellationToken.None);
        (await _fence.IsRaisedAsync("/proc/4194304/ns/net", CancellationToken.None)).ShouldBeFalse();
        await Should.ThrowAsync<MigrationException>(() => _fence.RaiseAsync("/proc/4194304/ns/net", CancellationToken.None));
    }
}
