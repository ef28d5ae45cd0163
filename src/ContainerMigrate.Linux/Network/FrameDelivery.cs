using System.Net;
using System.Net.Sockets;
using ContainerMigrate.Network;

namespace ContainerMigrate.Linux.Network;

/// <summary>
/// Delivers packets to a container's links as frames that they receive: into the host's end of a veth, and into a macvlan itself, which
/// takes what it sends to its own address for received. No interface is made for it, and sockets that are bound to a link get theirs.
/// </summary>
internal sealed class FrameDelivery : IPacketDelivery
{
    /// <summary>The address that such frames come from, by which <see cref="LogKeeping"/> knows them: locally administered, and nobody's.</summary>
    internal static readonly MacAddress Sender = new(0x02C7_6D00_0001);

    private const uint MacvlanBridge = 4; // MACVLAN_MODE_BRIDGE

    private readonly Dictionary<IPAddress, Link> _links = [];
    private readonly List<PacketSocket> _sockets = [];

    private FrameDelivery()
    {
    }

    /// <exception cref="IOException">The namespace cannot be entered.</exception>
    /// <exception cref="SocketException">A link is gone.</exception>
    internal static async Task<FrameDelivery> OpenAsync(string path)
    {
        var delivery = new FrameDelivery();
        try
        {
            var inside = await NetworkNamespace.RunAsync(path, delivery.OpenInside);
            delivery.OpenOutside(inside, NetworkState.Read());
            return delivery;
        }
        catch
        {
            delivery.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public bool TryDeliver(ReadOnlySpan<byte> packet)
    {
        if (IPPacket.Read(packet) is not { IsKept: true } read || !_links.TryGetValue(read.Destination, out var link) || packet.Length > link.Mtu)
        {
            return false;
        }

        var frame = EthernetFrame.Create(link.Mac, Sender, read.EthernetType, packet.Length);
        packet.CopyTo(frame.AsSpan(EthernetFrame.HeaderBytes));
        try
        {
            link.Socket.Send(frame);
            return true;
        }
        catch (SocketException)
        {
            return false; // down or gone: lost, as packets may be
        }
    }

    public void Dispose() => _sockets.ForEach(socket => socket.Dispose());

    private NetworkState OpenInside()
    {
        var state = NetworkState.Read();
        foreach (var link in state.Links.Where(l => l is { IsUp: true, Kind: "macvlan", Mode: MacvlanBridge }))
        {
            Add(state, link, link.Index);
        }

        return state;
    }

    private void OpenOutside(NetworkState inside, NetworkState outside)
    {
        foreach (var link in inside.Links.Where(l => l is { IsUp: true, Kind: "veth" }))
        {
            // Indices of other namespaces may look the same: the peer has to point back.
            if (outside.Links.FirstOrDefault(l => l.Index == link.LowerIndex) is { Kind: "veth" } end && end.LowerIndex == link.Index)
            {
                Add(inside, link, end.Index);
            }
        }
    }

    private void Add(NetworkState state, LinkState link, int sendingIndex)
    {
        if (link.Mac is not { } mac)
        {
            return;
        }

        var socket = new PacketSocket(sendingIndex, heard: null);
        _sockets.Add(socket);
        foreach (var address in state.Addresses.Where(a => a.LinkIndex == link.Index))
        {
            _links[new IPAddress(address.Address.GetAddressBytes())] = new Link(mac, link.Mtu, socket);
        }
    }

    private sealed record Link(MacAddress Mac, int Mtu, PacketSocket Socket);
}
