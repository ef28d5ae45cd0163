using System.Buffers.Binary;

namespace ContainerMigrate.Linux.Network;

/// <summary>
/// Does to a packet what its sender or receiver left to a link: completes the checksum of TCP or UDP, which then holds the sum of the
/// pseudo-header alone (CHECKSUM_PARTIAL), and cuts TCP segments that were merged (GRO) or never cut (TSO) to the link's size.
/// </summary>
internal static class OffloadedPacket
{
    private const byte Tcp = 6, Udp = 17;
    private const int IPv6HeaderBytes = 40;

    /// <summary>Gives all of it, as it could have come over the link; nothing of a packet whose checksum is wrong.</summary>
    /// <param name="packet">What <see cref="IPPacket.Read"/> has read.</param>
    /// <param name="mtu">Size of the link, at least 576. What is longer and cannot be cut is given as it is.</param>
    internal static void Finish(ReadOnlySpan<byte> packet, int mtu, PacketLog.Taker take)
    {
        var isIPv4 = packet[0] >> 4 == 4;
        var headerBytes = isIPv4 ? (packet[0] & 0xF) * 4 : IPv6HeaderBytes;
        var protocol = isIPv4 ? packet[9] : packet[6];
        var isFragment = isIPv4 && (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x3FFF) != 0;
        var checksumAt = headerBytes + (protocol == Tcp ? 16 : 6);
        if (protocol is not (Tcp or Udp) || isFragment || packet.Length < headerBytes + (protocol == Tcp ? 20 : 8))
        {
            take(packet);
            return;
        }

        var pseudoHeader = SumPseudoHeader(packet, isIPv4, headerBytes, protocol);
        var found = BinaryPrimitives.ReadUInt16BigEndian(packet[checksumAt..]);
        if ((protocol == Udp && found == 0) || InternetChecksum.Fold(InternetChecksum.Add(pseudoHeader, packet[headerBytes..])) == 0xFFFF)
        {
            take(packet);
        }
        else if (found == InternetChecksum.Fold(pseudoHeader))
        {
            if (protocol == Tcp && packet.Length > mtu)
            {
                Cut(packet, mtu, isIPv4, headerBytes, take);
            }
            else
            {
                var copy = packet.ToArray();
                Complete(copy, isIPv4, headerBytes, protocol, checksumAt);
                take(copy);
            }
        }
    }

    private static void Cut(ReadOnlySpan<byte> packet, int mtu, bool isIPv4, int headerBytes, PacketLog.Taker take)
    {
        const byte Final = 0x01, Push = 0x08, WindowReduced = 0x80; // FIN and PSH belong to the last byte, CWR is said once
        var tcp = packet[headerBytes..];
        var allHeaderBytes = headerBytes + (tcp[12] >> 4) * 4;
        var room = mtu - allHeaderBytes;
        if (allHeaderBytes > packet.Length || room <= 0)
        {
            return;
        }

        var sequence = BinaryPrimitives.ReadUInt32BigEndian(tcp[4..]);
        var content = packet[allHeaderBytes..];
        for (var offset = 0; offset < content.Length; offset += room)
        {
            var part = content.Slice(offset, Math.Min(room, content.Length - offset));
            byte[] segment = [.. packet[..allHeaderBytes], .. part];
            if (isIPv4)
            {
                BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(2), (ushort)segment.Length);
                var identification = BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
                BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(4), unchecked((ushort)(identification + offset / room)));
                BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(10), 0);
                BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(10), (ushort)~InternetChecksum.Fold(InternetChecksum.Add(0, segment.AsSpan(0, headerBytes))));
            }
            else
            {
                BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(4), (ushort)(segment.Length - IPv6HeaderBytes));
            }

            var header = segment.AsSpan(headerBytes);
            BinaryPrimitives.WriteUInt32BigEndian(header[4..], unchecked(sequence + (uint)offset));
            header[13] &= (byte)~((offset + part.Length < content.Length ? Final | Push : 0) | (offset > 0 ? WindowReduced : 0));
            Complete(segment, isIPv4, headerBytes, Tcp, headerBytes + 16);
            take(segment);
        }
    }

    private static void Complete(Span<byte> packet, bool isIPv4, int headerBytes, byte protocol, int checksumAt)
    {
        BinaryPrimitives.WriteUInt16BigEndian(packet[checksumAt..], 0);
        var checksum = (ushort)~InternetChecksum.Fold(InternetChecksum.Add(SumPseudoHeader(packet, isIPv4, headerBytes, protocol), packet[headerBytes..]));
        // Of UDP, 0 says that there is none.
        BinaryPrimitives.WriteUInt16BigEndian(packet[checksumAt..], checksum == 0 && protocol == Udp ? (ushort)0xFFFF : checksum);
    }

    private static ulong SumPseudoHeader(ReadOnlySpan<byte> packet, bool isIPv4, int headerBytes, byte protocol) =>
        InternetChecksum.Add((ulong)(packet.Length - headerBytes) + protocol, isIPv4 ? packet[12..20] : packet[8..40]);
}
