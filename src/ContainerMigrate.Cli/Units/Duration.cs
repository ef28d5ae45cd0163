using System.Buffers;
using System.Globalization;

namespace ContainerMigrate.Cli.Units;

/// <summary>Durations as people type and read them.</summary>
internal static class Duration
{
    /// <summary>What an option's help and its error message say about the form.</summary>
    public const string Form = "a number with a unit: ms, s, m or h (500ms, 10s, 1m30s)";

    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789.");
    private static readonly TimeSpan Longest = TimeSpan.FromDays(7);

    /// <summary>Reads <c>500ms</c>, <c>10s</c>, <c>1.5m</c>, <c>1h30m</c>. A unit is required; the sum is above zero and at most seven days.</summary>
    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        var rest = text.AsSpan().Trim();
        while (rest.Length > 0)
        {
            var digits = rest.IndexOfAnyExcept(NumberCharacters);
            if (digits <= 0 || !double.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            {
                return false;
            }

            rest = rest[digits..];
            var letters = rest.IndexOfAny(NumberCharacters);
            var unit = letters < 0 ? rest : rest[..letters];
            var seconds = unit switch
            {
                "ms" => number / 1000,
                "s" => number,
                "m" or "min" => number * 60,
                "h" => number * 3600,
                _ => -1,
            };
            if (seconds < 0 || seconds > Longest.TotalSeconds)
            {
                return false;
            }

            duration += TimeSpan.FromSeconds(seconds);
            rest = rest[unit.Length..];
        }

        return duration > TimeSpan.Zero && duration <= Longest;
    }

    /// <summary><c>0.4 ms</c>, <c>231 ms</c>, <c>8.4 s</c>, <c>2 min 05 s</c>, <c>3 h 10 min</c>.</summary>
    public static string Format(TimeSpan duration) => duration.TotalMilliseconds switch
    {
        < 0 => "-" + Format(duration.Negate()),
        < 9.95 => FormattableString.Invariant($"{duration.TotalMilliseconds:0.#} ms"),
        < 999.5 => FormattableString.Invariant($"{duration.TotalMilliseconds:0} ms"),
        < 59_950 => FormattableString.Invariant($"{duration.TotalSeconds:0.0} s"),
        < 3_599_500 => Minutes((long)Math.Round(duration.TotalSeconds)),
        _ => Hours((long)Math.Round(duration.TotalMinutes)),
    };

    public static string FormatMilliseconds(double milliseconds) => Format(TimeSpan.FromMilliseconds(milliseconds));

    /// <summary>For a clock that is running: <c>0.5 s</c> from the start, never milliseconds.</summary>
    public static string FormatElapsed(TimeSpan elapsed) => elapsed.TotalSeconds switch
    {
        <= 0 => "0.0 s",
        < 59.95 => FormattableString.Invariant($"{elapsed.TotalSeconds:0.0} s"),
        _ => Format(elapsed),
    };

    private static string Hours(long minutes) => FormattableString.Invariant($"{minutes / 60} h {minutes % 60:00} min");

    private static string Minutes(long seconds) => FormattableString.Invariant($"{seconds / 60} min {seconds % 60:00} s");
}
