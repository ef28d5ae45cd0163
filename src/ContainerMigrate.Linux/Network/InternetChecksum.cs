using System.Buffers.Binary;

namespace ContainerMigrate.Linux.Network;

/// <summary>The one's complement sum of RFC 1071.</summary>
internal static class InternetChecksum
{
    /// <summary>Adds 16-bit words to a sum that is not folded yet; an odd last byte counts as if a zero followed.</summary>
    internal static ulong Add(ulong sum, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= sizeof(uint); bytes = bytes[sizeof(uint)..])
        {
            sum += BinaryPrimitives.ReadUInt32BigEndian(bytes);
        }

        for (; bytes.Length >= sizeof(ushort); bytes = bytes[sizeof(ushort)..])
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes);
        }

        return bytes.IsEmpty ? sum : sum + ((ulong)bytes[0] << 8);
    }

    /// <summary>The sum in 16 bits; a header's checksum is its complement.</summary>
    internal static ushort Fold(ulong sum)
    {
        while (sum >> 16 != 0)
        {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return (ushort)sum;
    }
}
