using System.Buffers.Binary;
using System.Net;

namespace ContainerMigrate.Tests.Network;

/// <summary>IP packets with right checksums, from 192.0.2.1 or 2001:db8::1.</summary>
internal static class SamplePacket
{
    public const byte Tcp = 6, Udp = 17;

    public static byte[] Create(string destination, byte protocol, int contentBytes, byte flags = 0x18)
    {
        var content = Enumerable.Range(0, contentBytes).Select(i => (byte)(i * 7)).ToArray();
        byte[] transport = protocol == Tcp
            ? [0x13, 0x88, 0x23, 0x28, 0xFF, 0xFF, 0xFF, 0x00, 0, 0, 0, 9, 0x80, flags, 0x10, 0, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, .. content]
            : [0x13, 0x88, 0x23, 0x28, (byte)((8 + contentBytes) >> 8), (byte)(8 + contentBytes), 0, 0, .. content];
        var address = IPAddress.Parse(destination).GetAddressBytes();
        byte[] packet = address.Length == 4
            ? [0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 1, .. address, .. transport]
            : [0x60, 0, 0, 0, 0, 0, protocol, 64, .. IPAddress.Parse("2001:db8::1").GetAddressBytes(), .. address, .. transport];
        var at = packet.Length - transport.Length;
        if (address.Length == 4)
        {
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), (ushort)~Sum(packet.AsSpan(0, 20)));
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)transport.Length);
        }

        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(ChecksumAt(packet)), (ushort)~Sum(PseudoHeader(packet), packet.AsSpan(at)));
        return packet;
    }

    /// <summary>As its sender's kernel leaves it to the link: with the pseudo-header's sum for a checksum.</summary>
    public static byte[] WithoutChecksum(byte[] packet)
    {
        byte[] copy = [.. packet];
        BinaryPrimitives.WriteUInt16BigEndian(copy.AsSpan(ChecksumAt(copy)), Sum(PseudoHeader(copy)));
        return copy;
    }

    public static bool IsRight(byte[] packet) =>
        (packet[0] >> 4 == 6 || Sum(packet.AsSpan(0, 20)) == 0xFFFF) && Sum(PseudoHeader(packet), packet.AsSpan(HeaderBytes(packet))) == 0xFFFF;

    public static int HeaderBytes(byte[] packet) => packet[0] >> 4 == 4 ? 20 : 40;

    public static byte[] Content(byte[] packet) => packet[(HeaderBytes(packet) + (Protocol(packet) == Tcp ? 32 : 8))..];

    public static int ChecksumAt(byte[] packet) => HeaderBytes(packet) + (Protocol(packet) == Tcp ? 16 : 6);

    private static byte Protocol(byte[] packet) => packet[0] >> 4 == 4 ? packet[9] : packet[6];

    private static byte[] PseudoHeader(byte[] packet)
    {
        var length = packet.Length - HeaderBytes(packet);
        return [.. packet[0] >> 4 == 4 ? packet[12..20] : packet[8..40], 0, Protocol(packet), (byte)(length >> 8), (byte)length];
    }

    // Written another way than the one that is tested.
    private static ushort Sum(params ReadOnlySpan<byte> bytes)
    {
        var sum = 0;
        for (var i = 0; i < bytes.Length; i++)
        {
            sum += i % 2 == 0 ? bytes[i] << 8 : bytes[i];
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return (ushort)sum;
    }

    private static ushort Sum(byte[] first, ReadOnlySpan<byte> second) => Sum([.. first, .. second]);
}
