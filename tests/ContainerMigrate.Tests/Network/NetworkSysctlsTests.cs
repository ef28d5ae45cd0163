using System.Text.Json.Nodes;
using ContainerMigrate.Linux.Network;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Network;

public sealed class NetworkSysctlsTests
{
    [Fact]
    public void TakesThoseOfTheNetworkFromAConfiguration()
    {
        var config = (JsonObject)JsonNode.Parse("""{"linux":{"sysctl":{"net.ipv4.ip_unprivileged_port_start":"0","kernel.msgmax":"65536","net/ipv4/ip_forward":"1"}}}""")!;

        NetworkSysctls.Read(config).Keys.ShouldBe(["net.ipv4.ip_unprivileged_port_start", "net/ipv4/ip_forward"]);
        NetworkSysctls.Read([]).ShouldBeEmpty();
    }

    [Fact]
    public async Task SetsThemInsideTheNamespaceOnly()
    {
        await using var ns = await ScratchNetworkNamespace.CreateAsync();
        await ns.RunAsync("ip link add eth0.100 type veth peer name other");
        var outside = await File.ReadAllTextAsync("/proc/sys/net/ipv4/ip_unprivileged_port_start", CancellationToken.None);

        var failures = await NetworkSysctls.ApplyAsync(ns.Path, new Dictionary<string, string>
        {
            ["net.ipv4.ip_unprivileged_port_start"] = "77",
            ["net.ipv4.ping_group_range"] = "0 2147483647",
            ["net/ipv4/conf/eth0.100/forwarding"] = "1",
            ["net.ipv6.conf.eth0/100.accept_ra"] = "2",
            ["net.ipv4.conf.eth1.forwarding"] = "1",
            ["net/../kernel/hostname"] = "outside",
        });

        failures.Keys.ShouldBe(["net.ipv4.conf.eth1.forwarding", "net/../kernel/hostname"], ignoreOrder: true);
        (await ns.RunAsync("cat /proc/sys/net/ipv4/ip_unprivileged_port_start")).ShouldBe("77\n");
        (await ns.RunAsync("cat /proc/sys/net/ipv4/ping_group_range")).ShouldBe("0\t2147483647\n");
        (await ns.RunAsync("cat /proc/sys/net/ipv4/conf/eth0.100/forwarding")).ShouldBe("1\n");
        (await ns.RunAsync("cat /proc/sys/net/ipv6/conf/eth0.100/accept_ra")).ShouldBe("2\n");
        (await File.ReadAllTextAsync("/proc/sys/net/ipv4/ip_unprivileged_port_start", CancellationToken.None)).ShouldBe(outside);
    }
}
