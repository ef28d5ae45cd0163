using ContainerMigrate.Daemon.Configuration;

namespace ContainerMigrate.Daemon.Faults;

/// <summary>One rule of <see cref="FaultPoints.Variable"/>: <c>POINT:before=ACTION</c> or <c>POINT:after=ACTION</c>. It acts once, when the point is first reached.</summary>
internal sealed record FaultRule(string Point, bool Before, FaultAction Action)
{
    /// <summary>Separated by semicolons or lines; <c>#</c> begins a comment.</summary>
    /// <exception cref="ConfigurationException">It is not a rule, or names a point that does not exist; the message lists all there are.</exception>
    public static IReadOnlyList<FaultRule> ParseAll(string text, IReadOnlySet<string> points) =>
        [.. text.Split([';', '\n'], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Where(r => !r.StartsWith('#')).Select(r => Parse(r, points))];

    private static FaultRule Parse(string rule, IReadOnlySet<string> points)
    {
        var equals = rule.IndexOf('=', StringComparison.Ordinal);
        var colon = equals < 0 ? -1 : rule.LastIndexOf(':', equals);
        if (colon < 0 || rule[(colon + 1)..equals] is not ("before" or "after"))
        {
            throw new ConfigurationException($"{FaultPoints.Variable}: '{rule}' is not POINT:before=ACTION or POINT:after=ACTION");
        }

        var point = rule[..colon];
        return points.Contains(point)
            ? new FaultRule(point, rule[(colon + 1)..equals] == "before", ParseAction(rule, rule[(equals + 1)..]))
            : throw new ConfigurationException($"{FaultPoints.Variable}: there is no fault point '{point}'; there are\n  {string.Join("\n  ", points.Order(StringComparer.Ordinal))}");
    }

    private static FaultAction ParseAction(string rule, string text)
    {
        var open = text.IndexOf('(', StringComparison.Ordinal);
        var (name, argument) = open > 0 && text.EndsWith(')') ? (text[..open], text[(open + 1)..^1]) : (text, null);
        return (name, argument) switch
        {
            ("kill", null) => new FaultAction(FaultKind.Kill),
            ("exit", null) => new FaultAction(FaultKind.Exit),
            ("error", null) => new FaultAction(FaultKind.Error),
            ("delay", _) when DurationText.TryParse(argument, out var duration) => new FaultAction(FaultKind.Delay, duration),
            ("hold", ['/', ..]) => new FaultAction(FaultKind.Hold, File: argument),
            _ => throw new ConfigurationException($"{FaultPoints.Variable}: '{rule}': the actions are kill, exit, error, delay(DURATION) and hold(/FILE)"),
        };
    }
}
