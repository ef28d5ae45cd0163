using System.Buffers.Binary;

namespace ContainerMigrate.Linux.Network;

/// <summary>Layout of an Ethernet II frame: destination, source, type, payload.</summary>
internal static class EthernetFrame
{
    internal const int HeaderBytes = 14;
    internal const ushort IPv4 = 0x0800;
    internal const ushort Arp = 0x0806;
    internal const ushort ReverseArp = 0x8035;
    internal const ushort IPv6 = 0x86DD;

    // IEEE 802.3: 64 bytes with the checksum, which the interface adds. Some virtual switches drop what is shorter.
    private const int MinimumBytes = 60;

    /// <summary>A frame with an empty payload, padded to the minimum.</summary>
    internal static byte[] Create(MacAddress destination, MacAddress source, ushort type, int payloadBytes)
    {
        var frame = new byte[Math.Max(MinimumBytes, HeaderBytes + payloadBytes)];
        destination.Write(frame);
        source.Write(frame.AsSpan(MacAddress.Size));
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(12), type);
        return frame;
    }

    internal static bool IsOfType(ReadOnlySpan<byte> frame, ushort type) =>
        frame.Length > HeaderBytes && BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) == type;
}
