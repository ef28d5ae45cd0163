using System.Diagnostics;
using System.Globalization;
using ContainerMigrate.Benchmarks.Results;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Linux.Processes;

namespace ContainerMigrate.Benchmarks.Tracking;

/// <summary>
/// What being tracked costs a program that does nothing but write memory: its throughput without, and with a scan each second, in turn.
/// Nothing is copied, so that only tracking is measured and not who else has the processors.
/// </summary>
internal sealed class TrackingBenchmark
{
    /// <summary><see cref="BenchmarkRun.Tool"/> of its results.</summary>
    public const string Tool = "tracking";

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private const int ScansPerRun = 4;

    /// <summary>Adds one result for each size and run to <paramref name="runs"/> as they come.</summary>
    public static async Task RunAsync(int count, ICollection<BenchmarkRun> runs, CancellationToken cancellationToken)
    {
        foreach (var mebibytes in (int[])[64, 256, 1024])
        {
            using var writer = MemoryWriter.Start(mebibytes);
            var cgroup = Directory.CreateTempSubdirectory("ctm-bench-");
            try
            {
                await File.WriteAllTextAsync(Path.Combine(cgroup.FullName, "cgroup.procs"), string.Create(CultureInfo.InvariantCulture, $"{writer.Id}\n"), cancellationToken);
                await Task.Delay(Interval, cancellationToken);
                for (var number = 1; number <= count; number++)
                {
                    runs.Add(await MeasureAsync(writer, cgroup.FullName, mebibytes, number, cancellationToken));
                    Console.Error.WriteLine($"bench: {Text(runs.Last())}");
                }
            }
            finally
            {
                cgroup.Delete(recursive: true);
            }
        }
    }

    /// <summary>Each size.</summary>
    public static IEnumerable<string> Report(IEnumerable<BenchmarkRun> runs) =>
        from run in runs
        where run.Tool == Tool
        group run by run.MemoryMib into size
        let sorted = size.OrderBy(r => r.Slowdown).ToList()
        select Text(sorted[sorted.Count / 2]) + string.Create(CultureInfo.InvariantCulture, $" (median of {sorted.Count})");

    private static async Task<BenchmarkRun> MeasureAsync(MemoryWriter writer, string cgroup, int mebibytes, int number, CancellationToken cancellationToken)
    {
        double rest = 0, tracked = 0, scans = 0;
        var begin = Stopwatch.GetTimestamp();
        await Task.Delay(ScansPerRun * Interval, cancellationToken);
        rest = writer.PagesPerSecond(begin, Stopwatch.GetTimestamp());
        await using (var tracking = await new MemoryTracker(new ProcessRunner()).StartAsync(cgroup, cancellationToken))
        {
            for (var scan = 0; scan <= ScansPerRun; scan++)
            {
                var before = Stopwatch.GetTimestamp();
                await tracking.ScanAsync(cancellationToken);
                var after = Stopwatch.GetTimestamp();
                await Task.Delay(Interval, cancellationToken);
                if (scan > 0) // the first one attaches
                {
                    scans += Stopwatch.GetElapsedTime(before, after).TotalMilliseconds / ScansPerRun;
                    tracked += writer.PagesPerSecond(after, Stopwatch.GetTimestamp()) / ScansPerRun;
                }
            }
        }

        return new BenchmarkRun
        {
            Tool = Tool, Runtime = "none", Mode = "wp-async", MemoryMib = mebibytes, DirtyMibS = (int)(rest / 256), Run = number, Ok = true,
            Slowdown = Math.Round(1 - (tracked / rest), 4), ScanMs = Math.Round(scans, 2),
        };
    }

    private static string Text(BenchmarkRun run) => string.Create(
        CultureInfo.InvariantCulture,
        $"tracking, a program that rewrites {run.MemoryMib} MiB at {run.DirtyMibS} MiB/s: loses {100 * run.Slowdown:0.0} % between scans, which come each second and take {run.ScanMs:0.0} ms");
}
