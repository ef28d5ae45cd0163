using System.Net;
using System.Net.Sockets;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Network;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Network;

/// <summary>A container on a macvlan, and a client on the same segment: a veth with checksum and segmentation offload, as the kernel makes it.</summary>
public sealed class PacketKeeperTests : IAsyncLifetime
{
    private const int Port = 9000;

    private readonly PacketKeeper _keeper = new();
    private readonly NftFence _fence = new();
    private readonly KeptPackets _packets = new();
    private ScratchNetworkNamespace _host = null!;
    private ScratchNetworkNamespace _container = null!;
    private ScratchNetworkNamespace _client = null!;

    public async ValueTask InitializeAsync()
    {
        _host = await ScratchNetworkNamespace.CreateAsync();
        _container = await ScratchNetworkNamespace.CreateAsync();
        _client = await ScratchNetworkNamespace.CreateAsync();
        await _host.RunAsync($"ip link add eth0 type veth peer name eth0 netns {_client.Name}");
        await _host.RunAsync("ip link set eth0 up");
        await _host.RunAsync($"ip link add link eth0 name eth0 netns {_container.Name} type macvlan mode bridge");
        foreach (var (ns, number) in new[] { (_client, 1), (_container, 2) })
        {
            await ns.RunAsync($"ip addr add 192.0.2.{number}/24 dev eth0");
            await ns.RunAsync($"ip addr add 2001:db8::{number}/64 dev eth0 nodad");
            await ns.RunAsync("ip link set eth0 up");
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var ns in new[] { _container, _client, _host })
        {
            await (ns?.DisposeAsync() ?? ValueTask.CompletedTask);
        }
    }

    [Theory]
    [InlineData("192.0.2.2")]
    [InlineData("2001:db8::2")]
    public async Task GivesASocketLaterWhatItGotNotInThePause(string address)
    {
        using var server = await OpenAsync(_container, SocketType.Dgram, ProtocolType.Udp);
        using var client = await OpenAsync(_client, SocketType.Dgram, ProtocolType.Udp);
        var there = new IPEndPoint(IPAddress.Parse(address), Port);
        client.SendTo([0], there);
        await ReceivesAsync(server, 0);

        await using var keeping = await _keeper.OpenAsync(_container.Path, _packets, CancellationToken.None);
        client.SendTo([1], there);
        await ReceivesAsync(server, 1); // it takes nothing yet
        await keeping.BeginAsync(CancellationToken.None);
        await _fence.RaiseAsync(_container.Path, CancellationToken.None);
        for (byte i = 2; i < 52; i++)
        {
            client.SendTo([i], there);
        }

        await Until(() => _packets.Count == 50);
        server.Available.ShouldBe(0);
        await _fence.LiftAsync(_container.Path, CancellationToken.None);
        await keeping.DisposeAsync();
        using var delivery = await _keeper.OpenDeliveryAsync(_container.Path, CancellationToken.None);
        for (var i = 0; _packets.TryGet(i, out var packet); i++)
        {
            SamplePacket.IsRight(packet).ShouldBeTrue();
            delivery.TryDeliver(packet).ShouldBeTrue();
        }

        for (byte i = 2; i < 52; i++)
        {
            await ReceivesAsync(server, i);
        }

        client.SendTo([99], there);
        await ReceivesAsync(server, 99);
        (_packets.Count, _packets.Dropped).ShouldBe((50, 0));
        (await _container.RunAsync("nft list ruleset")).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("192.0.2.2")]
    [InlineData("2001:db8::2")]
    public async Task LosesNothingOfAConnection(string address)
    {
        using var listener = await OpenAsync(_container, SocketType.Stream, ProtocolType.Tcp);
        listener.Listen();
        using var client = await OpenAsync(_client, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(new IPEndPoint(IPAddress.Parse(address), Port), CancellationToken.None);
        using var server = await listener.AcceptAsync(CancellationToken.None);
        client.NoDelay = true;

        await using var keeping = await _keeper.OpenAsync(_container.Path, _packets, CancellationToken.None);
        await keeping.BeginAsync(CancellationToken.None);
        await _fence.RaiseAsync(_container.Path, CancellationToken.None);
        var sent = Enumerable.Range(0, 10_000).Select(i => (byte)(i * 11)).ToArray(); // a window at first, in one piece
        await client.SendAsync(sent, CancellationToken.None);
        await Until(() => _packets.Bytes >= sent.Length);
        server.Available.ShouldBe(0);

        using var delivery = await _keeper.OpenDeliveryAsync(_container.Path, CancellationToken.None);
        // As on a destination: the fence is open, and what comes by itself is still kept.
        await _container.RunAsync("nft add rule inet ctmigrate input accept");
        await _container.RunAsync("nft add rule inet ctmigrate output accept");
        await _container.RunAsync("nft add rule arp ctmigrate input accept");
        await _container.RunAsync("nft add rule arp ctmigrate output accept");
        for (var i = 0; _packets.TryGet(i, out var packet); i++)
        {
            packet.Length.ShouldBeLessThanOrEqualTo(1500);
            delivery.TryDeliver(packet).ShouldBeTrue();
        }

        await Until(() => server.Available == sent.Length);
        await keeping.DisposeAsync();
        await _fence.LiftAsync(_container.Path, CancellationToken.None);
        var received = new byte[sent.Length];
        (await server.ReceiveAsync(received, CancellationToken.None)).ShouldBe(sent.Length);
        received.ShouldBe(sent);
        await client.SendAsync(new byte[] { 1 }, CancellationToken.None);
        (await server.ReceiveAsync(received, CancellationToken.None)).ShouldBe(1);
        (await CountAsync(_client, "Tcp:", "EstabResets")).ShouldBe(0);
        (await CountAsync(_container, "Tcp:", "OutRsts")).ShouldBe(0);
    }

    [Fact]
    public async Task DeliversAsManyAsCanBeKept()
    {
        using var delivery = await _keeper.OpenDeliveryAsync(_container.Path, CancellationToken.None);
        var packet = SamplePacket.Create("192.0.2.2", SamplePacket.Udp, 2);

        for (var i = 0; i < KeptPackets.MaxCount; i++)
        {
            delivery.TryDeliver(packet).ShouldBeTrue();
        }

        (await CountAsync(_container, "Udp:", "NoPorts")).ShouldBe(KeptPackets.MaxCount);
    }

    [Theory]
    [InlineData("192.0.2.3", SamplePacket.Tcp, 10)] // another's address
    [InlineData("127.0.0.1", SamplePacket.Tcp, 10)]
    [InlineData("224.0.0.1", SamplePacket.Udp, 10)]
    [InlineData("192.0.2.255", SamplePacket.Udp, 10)]
    [InlineData("::1", SamplePacket.Udp, 10)]
    [InlineData("2001:db8::3", SamplePacket.Udp, 10)]
    [InlineData("192.0.2.2", 2, 10)] // IGMP
    [InlineData("2001:db8::2", 58, 24)] // ICMPv6, not an echo request
    [InlineData("192.0.2.2", SamplePacket.Udp, 1500)] // longer than the link takes
    public async Task RefusesWhatIsNotForTheContainer(string destination, byte protocol, int bytes)
    {
        using var delivery = await _keeper.OpenDeliveryAsync(_container.Path, CancellationToken.None);

        delivery.TryDeliver(SamplePacket.Create(destination, protocol, bytes)).ShouldBeFalse();
        delivery.TryDeliver([]).ShouldBeFalse();
        delivery.TryDeliver(new byte[60]).ShouldBeFalse();
    }

    [Fact]
    public async Task LetsNeighboursFindTheContainer()
    {
        await using var keeping = await _keeper.OpenAsync(_container.Path, _packets, CancellationToken.None);
        await keeping.BeginAsync(CancellationToken.None);
        using var client = await OpenAsync(_client, SocketType.Dgram, ProtocolType.Udp);
        foreach (var address in new[] { "192.0.2.2", "2001:db8::2" })
        {
            client.SendTo([1], new IPEndPoint(IPAddress.Parse(address), Port));
        }

        // Neighbour discovery is not kept: without it the one over IPv6 would not have been sent.
        await Until(() => _packets.Count == 2);
    }

    [Fact]
    public async Task KeepsNothingInTheHostsOwnNamespace()
    {
        (await Should.ThrowAsync<MigrationException>(() => _keeper.OpenAsync("/proc/self/ns/net", _packets, CancellationToken.None)))
            .Failure.Cause.ShouldContain("host's own network");
    }

    [Fact]
    public async Task SaysSoWhereThePacketsCannotBeHad()
    {
        await Should.ThrowAsync<MigrationException>(() => _keeper.OpenAsync("/proc/4194304/ns/net", _packets, CancellationToken.None));
        await Should.ThrowAsync<MigrationException>(() => _keeper.OpenDeliveryAsync("/proc/4194304/ns/net", CancellationToken.None));
        await using var first = await _keeper.OpenAsync(_container.Path, _packets, CancellationToken.None);

        (await Should.ThrowAsync<MigrationException>(() => _keeper.OpenAsync(_container.Path, _packets, CancellationToken.None)))
            .Failure.Cause.ShouldBe("packets cannot be copied: asking for copies of packets: Operation not permitted");
    }

    [Fact]
    public async Task IsTriedByTheDoctor()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to make a network namespace");
        (await LogKeeping.FindProblemAsync()).ShouldBeNull();
        HostDiagnosis.OfKeptPackets(null).Status.ShouldBe("ok");
        HostDiagnosis.OfKeptPackets("No such file or directory").Status.ShouldBe("warning");
    }

    private static Task<Socket> OpenAsync(ScratchNetworkNamespace ns, SocketType type, ProtocolType protocol) => NetworkNamespace.RunAsync(ns.Path, () =>
    {
        var socket = new Socket(AddressFamily.InterNetworkV6, type, protocol) { DualMode = true, ReceiveTimeout = 5000 };
        socket.Bind(new IPEndPoint(IPAddress.IPv6Any, Port));
        return socket;
    });

    private static async Task ReceivesAsync(Socket socket, byte expected)
    {
        var buffer = new byte[16];
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        (await socket.ReceiveAsync(buffer, limit.Token)).ShouldBe(1);
        buffer[0].ShouldBe(expected);
    }

    // From /proc/net/snmp: a line of names, and one of numbers, for each protocol.
    private static async Task<int> CountAsync(ScratchNetworkNamespace ns, string protocol, string name)
    {
        var lines = (await ns.RunAsync("cat /proc/thread-self/net/snmp")).Split('\n').Where(l => l.StartsWith(protocol, StringComparison.Ordinal)).Select(l => l.Split(' ')).ToArray();
        return int.Parse(lines[1][Array.IndexOf(lines[0], name)], System.Globalization.CultureInfo.InvariantCulture);
    }

    private static async Task Until(Func<bool> condition)
    {
        for (var waited = 0; !condition(); waited++)
        {
            waited.ShouldBeLessThan(5000);
            await Task.Delay(1, CancellationToken.None);
        }
    }
}
