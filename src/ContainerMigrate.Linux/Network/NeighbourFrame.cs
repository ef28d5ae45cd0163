using System.Buffers.Binary;
using System.Net;

namespace ContainerMigrate.Linux.Network;

/// <summary>Neighbour solicitations and advertisements of IPv6 (RFC 4861, 4.3 and 4.4), as whole frames.</summary>
internal static class NeighbourFrame
{
    private const int Ipv6HeaderBytes = 40;
    private const int MessageBytes = 24; // ICMPv6 header, flags, target
    private const int OptionBytes = 8;
    private const byte Icmpv6 = 58;
    private const byte Solicitation = 135;
    private const byte Advertisement = 136;
    private const byte SourceLinkAddress = 1;
    private const byte TargetLinkAddress = 2;
    private const uint Override = 0x2000_0000;

    private static readonly IPAddress AllNodes = IPAddress.Parse("ff02::1");

    /// <summary>Unsolicited advertisement with Override (RFC 4861, 7.2.6), to all nodes.</summary>
    internal static byte[] UnsolicitedAdvertisement(MacAddress mac, IPAddress address) =>
        Build(mac, address, AllNodes, Advertisement, Override, address, TargetLinkAddress);

    /// <summary>An ordinary question; the asked one learns the asker (RFC 4861, 7.2.3).</summary>
    internal static byte[] Question(MacAddress mac, IPAddress from, IPAddress target) =>
        Build(mac, from, SolicitedNode(target), Solicitation, 0, target, SourceLinkAddress);

    /// <summary>The question of duplicate address detection (RFC 4862, 5.4.2): from nobody, so that no neighbour's entry changes.</summary>
    internal static byte[] Probe(MacAddress mac, IPAddress target) =>
        Build(mac, IPAddress.IPv6Any, SolicitedNode(target), Solicitation, 0, target, option: 0);

    /// <summary>Who advertises <paramref name="address"/> in this frame; null when nobody does.</summary>
    internal static MacAddress? FindClaim(ReadOnlySpan<byte> frame, IPAddress address)
    {
        var packet = EthernetFrame.IsOfType(frame, EthernetFrame.IPv6) ? frame[EthernetFrame.HeaderBytes..] : [];
        // Hop limit 255: no router has passed it on, so it is from this segment (RFC 4861, 7.1.2).
        if (packet.Length < Ipv6HeaderBytes + MessageBytes || packet[6] != Icmpv6 || packet[7] != 255
            || packet[Ipv6HeaderBytes] != Advertisement || !IsAddress(packet.Slice(Ipv6HeaderBytes + 8, 16), address))
        {
            return null;
        }

        var option = packet[(Ipv6HeaderBytes + MessageBytes)..];
        return option.Length >= OptionBytes && option[0] == TargetLinkAddress ? MacAddress.Read(option[2..]) : MacAddress.Read(frame[MacAddress.Size..]);
    }

    /// <summary>The multicast address at which a node hears questions for its address (RFC 4291, 2.7.1).</summary>
    internal static IPAddress SolicitedNode(IPAddress address)
    {
        Span<byte> bytes = [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0];
        address.GetAddressBytes().AsSpan(13).CopyTo(bytes[13..]);
        return new IPAddress(bytes);
    }

    // Scope ids are ours and not on the wire.
    private static bool IsAddress(ReadOnlySpan<byte> bytes, IPAddress address) => bytes.SequenceEqual(address.GetAddressBytes());

    private static byte[] Build(MacAddress mac, IPAddress source, IPAddress destination, byte type, uint flags, IPAddress target, byte option)
    {
        var length = MessageBytes + (option == 0 ? 0 : OptionBytes);
        var group = destination.GetAddressBytes();
        // IPv6 multicast over Ethernet (RFC 2464, 7): 33:33 and the last four octets.
        var frame = EthernetFrame.Create(
            new MacAddress(0x3333_0000_0000UL | BinaryPrimitives.ReadUInt32BigEndian(group.AsSpan(12))), mac, EthernetFrame.IPv6, Ipv6HeaderBytes + length);
        var header = frame.AsSpan(EthernetFrame.HeaderBytes);
        header[0] = 0x60; // version 6
        BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)length);
        header[6] = Icmpv6;
        header[7] = 255; // hop limit
        source.TryWriteBytes(header[8..], out _);
        destination.TryWriteBytes(header[24..], out _);

        var message = header[Ipv6HeaderBytes..][..length];
        message[0] = type;
        BinaryPrimitives.WriteUInt32BigEndian(message[4..], flags);
        target.TryWriteBytes(message[8..], out _);
        if (option != 0)
        {
            message[MessageBytes] = option;
            message[MessageBytes + 1] = 1; // in units of 8 octets
            mac.Write(message[(MessageBytes + 2)..]);
        }

        BinaryPrimitives.WriteUInt16BigEndian(message[2..], Checksum(header.Slice(8, 32), message));
        return frame;
    }

    // RFC 4443, 2.3: over the pseudo-header (both addresses, length, next header) and the message.
    private static ushort Checksum(ReadOnlySpan<byte> addresses, ReadOnlySpan<byte> message) =>
        (ushort)~InternetChecksum.Fold(InternetChecksum.Add(InternetChecksum.Add((ulong)message.Length + Icmpv6, addresses), message));
}
