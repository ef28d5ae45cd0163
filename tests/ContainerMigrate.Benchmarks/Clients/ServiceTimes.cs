namespace ContainerMigrate.Benchmarks.Clients;

/// <summary>How fast a client was answered, the gap left out.</summary>
internal sealed class ServiceTimes(ClientReport report)
{
    /// <summary>The time, in milliseconds, that a share of the replies took at most whose lines were sent in a span of time; null when there was none.</summary>
    /// <param name="share">0 to 1; 0.99 for the 99th percentile.</param>
    public double? Percentile(double share, DateTimeOffset begin, DateTimeOffset end)
    {
        var gapEnd = report.GapAt + report.GapMs / 1000;
        var times = report.Latencies
            .Where(l => Seconds(begin) <= l[0] && l[0] + l[1] / 1000 <= Seconds(end) && (l[0] >= gapEnd || l[0] + l[1] / 1000 <= report.GapAt))
            .Select(l => l[1])
            .Order()
            .ToList();
        return times.Count == 0 ? null : Math.Round(times[Math.Min(times.Count - 1, (int)(times.Count * share))], 2);
    }

    private static double Seconds(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).TotalSeconds;
}
