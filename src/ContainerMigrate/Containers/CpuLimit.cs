using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace ContainerMigrate.Containers;

/// <summary>A cgroup's <c>cpu.max</c> (Documentation/admin-guide/cgroup-v2.rst).</summary>
/// <param name="QuotaMicroseconds">Processor time in each period, of all processors together; null: as much as there is.</param>
/// <param name="PeriodMicroseconds">1000 to 1000000.</param>
public sealed record CpuLimit(long? QuotaMicroseconds, long PeriodMicroseconds)
{
    private const long MinMicroseconds = 1000; // kernel/sched/core.c: min_cfs_quota_period
    private const long MaxPeriodMicroseconds = 1_000_000;

    /// <summary>Processors' worth of time; null: no limit.</summary>
    public double? Cpus => (double?)QuotaMicroseconds / PeriodMicroseconds;

    /// <summary>So many processors' worth, with the same period.</summary>
    public CpuLimit Of(double cpus) => this with { QuotaMicroseconds = Math.Max(MinMicroseconds, (long)Math.Round(cpus * PeriodMicroseconds)) };

    /// <summary>The kernel's text: <c>max 100000</c>, <c>50000 100000</c>.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out CpuLimit? limit)
    {
        limit = null;
        if (text?.Trim().Split(' ') is not [var quota, var period]
            || !long.TryParse(period, NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds) || microseconds is < MinMicroseconds or > MaxPeriodMicroseconds)
        {
            return false;
        }

        if (quota == "max")
        {
            limit = new CpuLimit(null, microseconds);
            return true;
        }

        limit = long.TryParse(quota, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= MinMicroseconds ? new CpuLimit(value, microseconds) : null;
        return limit is not null;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(QuotaMicroseconds is { } quota ? quota : "max")} {PeriodMicroseconds}");
}
