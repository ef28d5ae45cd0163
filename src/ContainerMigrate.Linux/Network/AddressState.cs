using System.Net;

namespace ContainerMigrate.Linux.Network;

/// <summary>An address of a link.</summary>
internal sealed record AddressState(int LinkIndex, IPAddress Address, int PrefixLength)
{
    /// <summary>True when the other address is in this one's network.</summary>
    internal bool Covers(IPAddress other) =>
        other.AddressFamily == Address.AddressFamily && CutToPrefix(Address).AsSpan().SequenceEqual(CutToPrefix(other));

    private byte[] CutToPrefix(IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        for (var bit = PrefixLength; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        }

        return bytes;
    }
}
