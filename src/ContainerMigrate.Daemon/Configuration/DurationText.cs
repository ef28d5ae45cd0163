using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace ContainerMigrate.Daemon.Configuration;

/// <summary>Durations as people write them: <c>500ms</c>, <c>10s</c>, <c>10m</c>, <c>2h</c>.</summary>
internal static class DurationText
{
    private static readonly (string Suffix, TimeSpan Unit)[] Units =
    [
        ("ms", TimeSpan.FromMilliseconds(1)),
        ("s", TimeSpan.FromSeconds(1)),
        ("m", TimeSpan.FromMinutes(1)),
        ("h", TimeSpan.FromHours(1)),
    ];

    public static bool TryParse([NotNullWhen(true)] string? text, out TimeSpan duration)
    {
        duration = default;
        foreach (var (suffix, unit) in Units)
        {
            if (text is null || !text.EndsWith(suffix, StringComparison.Ordinal))
            {
                continue;
            }

            // "10ms" also ends in "s": the number decides which suffix was meant.
            var number = text.AsSpan(0, text.Length - suffix.Length);
            if (number.Length is > 0 and <= 9 && uint.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var count))
            {
                duration = unit * count;
                return true;
            }
        }

        return false;
    }

    public static string Format(TimeSpan duration)
    {
        foreach (var (suffix, unit) in Units.Reverse())
        {
            if (duration >= unit && duration.Ticks % unit.Ticks == 0)
            {
                return $"{duration.Ticks / unit.Ticks}{suffix}";
            }
        }

        return $"{duration.TotalMilliseconds:0}ms";
    }
}
