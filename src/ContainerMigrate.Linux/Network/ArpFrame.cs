using System.Buffers.Binary;
using System.Net;

namespace ContainerMigrate.Linux.Network;

/// <summary>ARP and RARP for Ethernet and IPv4 (RFC 826, RFC 903, RFC 5227), as whole frames.</summary>
internal static class ArpFrame
{
    private const int Bytes = 28;
    private const ushort Request = 1;
    private const ushort Reply = 2;
    private const ushort ReverseRequest = 3;
    private static readonly MacAddress Unknown = new(0);

    /// <summary>"Who am I?" for one's own MAC: nobody answers it, but every switch learns the port (what QEMU sends after a migration).</summary>
    internal static byte[] ReverseQuestion(MacAddress mac) =>
        Build(EthernetFrame.ReverseArp, ReverseRequest, mac, IPAddress.Any, mac, IPAddress.Any);

    /// <summary>ARP announcement (RFC 5227, 2.3): a request for one's own address, which updates the neighbours that have an entry.</summary>
    internal static byte[] Announcement(MacAddress mac, IPAddress address) =>
        Build(EthernetFrame.Arp, Request, mac, address, Unknown, address);

    /// <summary>The same as an unasked-for reply (RFC 5944, 4.6), for those that listen to replies only.</summary>
    internal static byte[] UnsolicitedReply(MacAddress mac, IPAddress address) =>
        Build(EthernetFrame.Arp, Reply, mac, address, mac, address);

    /// <summary>An ordinary question; the asked one learns the asker (RFC 826), unlike from an announcement.</summary>
    internal static byte[] Question(MacAddress mac, IPAddress from, IPAddress target) =>
        Build(EthernetFrame.Arp, Request, mac, from, Unknown, target);

    /// <summary>ARP probe (RFC 5227, 2.1.1): asks without claiming an address, so that no neighbour's entry changes.</summary>
    internal static byte[] Probe(MacAddress mac, IPAddress target) =>
        Build(EthernetFrame.Arp, Request, mac, IPAddress.Any, Unknown, target);

    /// <summary>Who claims <paramref name="address"/> in this frame, be it by an answer or by a question or announcement of its own; null when nobody does.</summary>
    internal static MacAddress? FindClaim(ReadOnlySpan<byte> frame, IPAddress address)
    {
        if (!EthernetFrame.IsOfType(frame, EthernetFrame.Arp) || frame.Length < EthernetFrame.HeaderBytes + Bytes)
        {
            return null;
        }

        var packet = frame[EthernetFrame.HeaderBytes..];
        return BinaryPrimitives.ReadUInt64BigEndian(packet) >> 16 == 0x0001_0800_0604 && new IPAddress(packet.Slice(14, 4)).Equals(address)
            ? MacAddress.Read(packet[8..])
            : null;
    }

    private static byte[] Build(ushort type, ushort operation, MacAddress sender, IPAddress senderAddress, MacAddress target, IPAddress targetAddress)
    {
        var frame = EthernetFrame.Create(MacAddress.Broadcast, sender, type, Bytes);
        var packet = frame.AsSpan(EthernetFrame.HeaderBytes);
        BinaryPrimitives.WriteUInt16BigEndian(packet, 1); // Ethernet
        BinaryPrimitives.WriteUInt16BigEndian(packet[2..], 0x0800); // IPv4
        packet[4] = MacAddress.Size;
        packet[5] = 4;
        BinaryPrimitives.WriteUInt16BigEndian(packet[6..], operation);
        sender.Write(packet[8..]);
        senderAddress.TryWriteBytes(packet[14..], out _);
        target.Write(packet[18..]);
        targetAddress.TryWriteBytes(packet[24..], out _);
        return frame;
    }
}
