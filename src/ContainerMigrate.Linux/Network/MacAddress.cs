using System.Globalization;

namespace ContainerMigrate.Linux.Network;

/// <summary>An Ethernet address.</summary>
/// <param name="Bits">The six octets, the first one highest.</param>
internal readonly record struct MacAddress(ulong Bits)
{
    internal const int Size = 6;

    internal static readonly MacAddress Broadcast = new(0xFFFF_FFFF_FFFF);

    internal static MacAddress Read(ReadOnlySpan<byte> octets)
    {
        ulong bits = 0;
        foreach (var octet in octets[..Size])
        {
            bits = (bits << 8) | octet;
        }

        return new MacAddress(bits);
    }

    /// <summary>Reads <c>02:42:0a:4d:00:32</c>.</summary>
    /// <exception cref="FormatException">It is anything else.</exception>
    internal static MacAddress Parse(string text)
    {
        var octets = text.Split(':');
        return octets.Length == Size && octets.All(o => o.Length == 2)
            ? new MacAddress(octets.Aggregate(0ul, (bits, octet) => (bits << 8) | byte.Parse(octet, NumberStyles.AllowHexSpecifier)))
            : throw new FormatException($"'{text}' is not a MAC address");
    }

    internal void Write(Span<byte> octets)
    {
        for (var i = 0; i < Size; i++)
        {
            octets[i] = (byte)(Bits >> (8 * (Size - 1 - i)));
        }
    }

    public override string ToString()
    {
        var bits = Bits;
        return string.Join(':', Enumerable.Range(0, Size).Select(i => $"{(byte)(bits >> (8 * (Size - 1 - i))):x2}"));
    }
}
