using ContainerMigrate.Linux.Network;
using ContainerMigrate.Migration;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Network;

public sealed class AddressAnnouncerTests(ITestOutputHelper output)
{
    [Fact]
    public async Task TeachesAGatewayThatNeverHeardOfTheContainer()
    {
        await using var container = await ScratchNetworkNamespace.CreateAsync();
        await using var gateway = await ScratchNetworkNamespace.CreateAsync();
        await container.RunAsync($"ip link add eth0 address 02:42:0a:4d:00:32 type veth peer name eth0 netns {gateway.Name}");
        foreach (var (ns, host) in new[] { (container, "50"), (gateway, "1") })
        {
            await ns.RunAsync("ip link set eth0 addrgenmode none");
            await ns.RunAsync($"ip addr add 10.77.0.{host}/24 dev eth0");
            await ns.RunAsync($"ip addr add fd00:77::{host}/64 dev eth0 nodad");
            await ns.RunAsync("ip link set eth0 up");
        }

        await container.RunAsync("ip route add default via 10.77.0.1");
        await container.RunAsync("ip route add default via fd00:77::1");
        await using var announcer = new AddressAnnouncer(NullLogger<AddressAnnouncer>.Instance);
        var started = TimeProvider.System.GetTimestamp();

        var lines = await announcer.AnnounceAsync(container.Path, CancellationToken.None);

        output.WriteLine($"first burst after {TimeProvider.System.GetElapsedTime(started).TotalMilliseconds:0.0} ms");
        lines.ShouldBe(
        [
            "eth0: 10.77.0.50 is at 02:42:0a:4d:00:32, gateway 10.77.0.1 asked",
            "eth0: fd00:77::50 is at 02:42:0a:4d:00:32, gateway fd00:77::1 asked",
        ], ignoreOrder: true);
        (await gateway.RunAsync("ip neigh show")).ShouldContain("10.77.0.50 dev eth0 lladdr 02:42:0a:4d:00:32");
        // A fresh link hears IPv6 multicast only after a while: one of the repeats gets through.
        while (!(await gateway.RunAsync("ip neigh show")).Contains("fd00:77::50 dev eth0 lladdr 02:42:0a:4d:00:32", StringComparison.Ordinal))
        {
            TimeProvider.System.GetElapsedTime(started).ShouldBeLessThan(TimeSpan.FromSeconds(60), "the gateway did not learn the IPv6 address");
            await Task.Delay(20, CancellationToken.None);
        }
    }

    [Fact]
    public async Task SaysWhenTheContainerIsGone()
    {
        await using var announcer = new AddressAnnouncer(NullLogger<AddressAnnouncer>.Instance);

        await Should.ThrowAsync<MigrationException>(() => announcer.AnnounceAsync("/proc/4194304/ns/net", CancellationToken.None));
    }
}
