using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace ContainerMigrate.Daemon.Configuration;

/// <summary>Bit rates as people write them, in decimal units: <c>500Mbit</c>, <c>2Gbit</c>, <c>2.5Gbit</c>.</summary>
internal static class BitRateText
{
    private static readonly (string Suffix, decimal BitsPerSecond)[] Units =
    [
        ("kbit", 1_000m),
        ("Mbit", 1_000_000m),
        ("Gbit", 1_000_000_000m),
    ];

    public static bool TryParse([NotNullWhen(true)] string? text, out long bitsPerSecond)
    {
        bitsPerSecond = 0;
        foreach (var (suffix, unit) in Units)
        {
            if (text is not null
                && text.EndsWith(suffix, StringComparison.OrdinalIgnoreCase)
                && decimal.TryParse(text.AsSpan(0, text.Length - suffix.Length), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var count)
                && count is > 0 and < 1_000_000)
            {
                bitsPerSecond = (long)(count * unit);
                return bitsPerSecond > 0;
            }
        }

        return false;
    }
}
