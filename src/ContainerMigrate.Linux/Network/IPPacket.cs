using System.Buffers.Binary;
using System.Net;

namespace ContainerMigrate.Linux.Network;

/// <summary>The headers of an IPv4 or IPv6 packet (RFC 791, RFC 8200), as far as it matters whether to keep it and where to deliver it.</summary>
/// <param name="IsKept">TCP, UDP or an echo request: what clients send and wait for. Everything else is the network's own business.</param>
internal readonly record struct IPPacket(IPAddress Destination, ushort EthernetType, bool IsKept)
{
    private const byte Icmp = 1, Tcp = 6, Udp = 17, FragmentOfIPv6 = 44, IcmpOfIPv6 = 58;
    private const byte EchoRequest = 8, EchoRequestOfIPv6 = 128;
    private const int IPv6HeaderBytes = 40;

    /// <summary>Null for what is no whole packet, with nothing before or behind it.</summary>
    internal static IPPacket? Read(ReadOnlySpan<byte> packet) => packet.Length == 0 ? null : (packet[0] >> 4) switch
    {
        4 => ReadIPv4(packet),
        6 => ReadIPv6(packet),
        _ => null,
    };

    private static IPPacket? ReadIPv4(ReadOnlySpan<byte> packet)
    {
        const int MinimumBytes = 20;
        var headerBytes = (packet[0] & 0xF) * 4;
        if (packet.Length < MinimumBytes || headerBytes < MinimumBytes || packet.Length < headerBytes || BinaryPrimitives.ReadUInt16BigEndian(packet[2..]) != packet.Length)
        {
            return null;
        }

        var isFirst = (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x1FFF) == 0; // fragment offset
        var isKept = packet[9] is Tcp or Udp || (packet[9] == Icmp && isFirst && packet.Length > headerBytes && packet[headerBytes] == EchoRequest);
        return new IPPacket(new IPAddress(packet.Slice(16, 4)), EthernetFrame.IPv4, isKept);
    }

    private static IPPacket? ReadIPv6(ReadOnlySpan<byte> packet)
    {
        if (packet.Length < IPv6HeaderBytes || BinaryPrimitives.ReadUInt16BigEndian(packet[4..]) != packet.Length - IPv6HeaderBytes)
        {
            return null;
        }

        var isKept = packet[6] is Tcp or Udp or FragmentOfIPv6 || (packet[6] == IcmpOfIPv6 && packet.Length > IPv6HeaderBytes && packet[IPv6HeaderBytes] == EchoRequestOfIPv6);
        return new IPPacket(new IPAddress(packet.Slice(24, 16)), EthernetFrame.IPv6, isKept);
    }
}
