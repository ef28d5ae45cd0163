using System.Net;
using System.Net.Sockets;
using System.Text;
using ContainerMigrate.Linux.Interop;

namespace ContainerMigrate.Linux.Network;

/// <summary>Links, addresses and routes of one network namespace, read over rtnetlink (linux/rtnetlink.h).</summary>
internal sealed record NetworkState(IReadOnlyList<LinkState> Links, IReadOnlyList<AddressState> Addresses, IReadOnlyList<RouteState> Routes)
{
    private const int RouteProtocol = 0; // NETLINK_ROUTE
    private const ushort GetLink = 18; // RTM_GETLINK
    private const ushort GetAddress = 22; // RTM_GETADDR
    private const ushort GetRoute = 26; // RTM_GETROUTE
    private const int LinkHeaderBytes = 16; // struct ifinfomsg
    private const int AddressHeaderBytes = 8; // struct ifaddrmsg
    private const int RouteHeaderBytes = 12; // struct rtmsg

    /// <summary>Reads the namespace of the calling thread.</summary>
    internal static NetworkState Read()
    {
        using var socket = new NetlinkSocket(RouteProtocol);
        return new NetworkState(
            Dump(socket, GetLink, LinkHeaderBytes, ReadLink),
            Dump(socket, GetAddress, AddressHeaderBytes, ReadAddress),
            Dump(socket, GetRoute, RouteHeaderBytes, ReadRoute));
    }

    internal static Task<NetworkState> ReadAsync(string networkNamespacePath) => NetworkNamespace.RunAsync(networkNamespacePath, Read);

    private delegate T? Reader<T>(ReadOnlySpan<byte> header, NetlinkMessage message);

    private static List<T> Dump<T>(NetlinkSocket socket, ushort type, int headerBytes, Reader<T> read)
        where T : class
    {
        List<T> result = [];
        foreach (var datagram in socket.Dump(type, headerBytes))
        {
            foreach (var message in new NetlinkMessages(datagram))
            {
                if (message.Payload.Length >= headerBytes && message.Type == type - 2 && read(message.Payload[..headerBytes], message) is { } item)
                {
                    result.Add(item);
                }
            }
        }

        return result;
    }

    private static LinkState ReadLink(ReadOnlySpan<byte> header, NetlinkMessage message)
    {
        var information = message.FindAttribute(LinkHeaderBytes, 18); // IFLA_LINKINFO
        var kind = Text(NetlinkMessage.FindAttribute(information, 1)); // IFLA_INFO_KIND
        var mode = NetlinkMessage.FindAttribute(NetlinkMessage.FindAttribute(information, 2), 1); // IFLA_INFO_DATA, IFLA_MACVLAN_MODE or IFLA_IPVLAN_MODE
        var address = message.FindAttribute(LinkHeaderBytes, 1); // IFLA_ADDRESS
        return new LinkState(
            BitConverter.ToInt32(header[4..]),
            Text(message.FindAttribute(LinkHeaderBytes, 3)), // IFLA_IFNAME
            BitConverter.ToUInt32(header[8..]),
            address.Length == MacAddress.Size ? MacAddress.Read(address) : null,
            kind,
            Number(message.FindAttribute(LinkHeaderBytes, 4)), // IFLA_MTU
            kind is "macvlan" or "macvtap" && mode.Length == 4 ? BitConverter.ToUInt32(mode)
                : kind == "ipvlan" && mode.Length == 2 ? BitConverter.ToUInt16(mode) : null,
            Number(message.FindAttribute(LinkHeaderBytes, 5)), // IFLA_LINK
            Number(message.FindAttribute(LinkHeaderBytes, 10))); // IFLA_MASTER
    }

    private static AddressState? ReadAddress(ReadOnlySpan<byte> header, NetlinkMessage message)
    {
        var local = message.FindAttribute(AddressHeaderBytes, 2); // IFA_LOCAL: on a point-to-point link IFA_ADDRESS is the peer's
        var address = ReadIPAddress(local.IsEmpty ? message.FindAttribute(AddressHeaderBytes, 1) : local);
        return address is null ? null : new AddressState(BitConverter.ToInt32(header[4..]), address, header[1]);
    }

    private static RouteState? ReadRoute(ReadOnlySpan<byte> header, NetlinkMessage message)
    {
        const byte MainTable = 254;
        const byte ByKernel = 2; // RTPROT_KERNEL
        const byte Unicast = 1; // RTN_UNICAST
        const uint Cloned = 0x200; // RTM_F_CLONED: a cached lookup
        if (header[4] != MainTable || header[5] == ByKernel || header[7] != Unicast || (BitConverter.ToUInt32(header[8..]) & Cloned) != 0)
        {
            return null;
        }

        return new RouteState(
            Number(message.FindAttribute(RouteHeaderBytes, 4)), // RTA_OIF
            header[0] == 2 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6,
            ReadIPAddress(message.FindAttribute(RouteHeaderBytes, 1)), // RTA_DST
            header[1],
            ReadIPAddress(message.FindAttribute(RouteHeaderBytes, 5))); // RTA_GATEWAY
    }

    private static IPAddress? ReadIPAddress(ReadOnlySpan<byte> bytes) => bytes.Length is 4 or 16 ? new IPAddress(bytes) : null;

    private static int Number(ReadOnlySpan<byte> bytes) => bytes.Length == sizeof(int) ? BitConverter.ToInt32(bytes) : 0;

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes.TrimEnd((byte)0));
}
