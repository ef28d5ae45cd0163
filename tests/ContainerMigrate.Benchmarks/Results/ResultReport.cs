using System.Globalization;
using ContainerMigrate.Benchmarks.Files;
using ContainerMigrate.Benchmarks.Prediction;
using ContainerMigrate.Benchmarks.Tracking;
using ContainerMigrate.Benchmarks.Transport;
using Spectre.Console;

namespace ContainerMigrate.Benchmarks.Results;

/// <summary>The results for people: one line for each row and tool, what each pause was spent on, and how the tools compare.</summary>
internal static class ResultReport
{
    // Wide enough for every column where nobody sets a width: in a file or a pipe.
    private const int WidthWithoutTerminal = 160;

    public static void Write(IReadOnlyList<BenchmarkRun> all)
    {
        foreach (var line in TransportBenchmark.Report(all).Concat(PredictionBenchmark.Report(all)).Concat(TrackingBenchmark.Report(all)).Concat(FilesBenchmark.Report(all)))
        {
            Console.WriteLine(line);
        }

        var runs = all.Where(r => r.Tool is not (TransportBenchmark.Tool or PredictionBenchmark.Tool or TrackingBenchmark.Tool or FilesBenchmark.Tool)).ToList();
        if (runs.Count == 0)
        {
            return;
        }

        if (Console.IsOutputRedirected)
        {
            AnsiConsole.Profile.Width = WidthWithoutTerminal;
        }

        AnsiConsole.Write(TableOf(runs));
        Console.WriteLine("times in ms; gap: longest time without a reply, for a client that waits for each answer, and for the worst of 16 connections sending every");
        Console.WriteLine("20 ms; total: all commands; p50, p99: a reply's time during the move, without the gap; each line is the run with the median gap");
        foreach (var run in runs.Where(r => r.Median && r.PauseParts is { Count: > 0 }))
        {
            Console.WriteLine($"{run.Tool}, {run.Runtime}, {RowName(run)}: {string.Join(", ", run.PauseParts!.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Key} {p.Value:0}")))}");
        }

        foreach (var run in runs.Where(r => !r.Ok))
        {
            Console.WriteLine($"FAILED {run.Tool} {RowName(run)}, run {run.Run}: {run.Reason}");
        }

        foreach (var line in Ratios(runs).Concat(OwnRatios(runs)))
        {
            Console.WriteLine(line);
        }
    }

    private static Table TableOf(IReadOnlyList<BenchmarkRun> runs)
    {
        var table = new Table().Border(TableBorder.Simple);
        table.AddColumn("tool");
        foreach (var title in (string[])["MiB", "MiB/s dirty", "gap", "gap of 16", "connections", "total", "MiB sent", "p50", "p99", "p99 at rest", "runs ok"])
        {
            table.AddColumn(new TableColumn(title).RightAligned());
        }

        foreach (var group in Median.Groups(runs))
        {
            var shown = group.FirstOrDefault(r => r.Median) ?? group.First();
            table.AddRow(
                shown.Tool == shown.Runtime ? shown.Tool : $"{shown.Tool}, {shown.Runtime} ({shown.Mode})",
                Text(shown.MemoryMib, "0"),
                Text(shown.DirtyMibS, "0"),
                Text(shown.GapMs, "0"),
                Text(shown.Gap16Ms, "0"),
                shown.Connections is null ? "-" : string.Create(CultureInfo.InvariantCulture, $"{shown.ConnectionsKept} of {shown.Connections} kept"),
                Text(shown.TotalMs, "0"),
                Text(shown.SentBytes / 1048576.0, "0.0"),
                Text(shown.P50Ms, "0.00"),
                Text(shown.P99Ms, "0.00"),
                Text(shown.RestP99Ms, "0.00"),
                string.Create(CultureInfo.InvariantCulture, $"{group.Count(r => r.Ok)} of {group.Count()}"));
        }

        return table;
    }

    private static IEnumerable<string> Ratios(IReadOnlyList<BenchmarkRun> runs)
    {
        var medians = runs.Where(r => r.Median).ToList();
        foreach (var other in medians.Where(r => r.Tool != "ctmigrate"))
        {
            // Podman's containers are compared with Docker's.
            var runtime = other.Runtime == "podman" ? "docker" : other.Runtime;
            var ours = medians.Find(r => r.Tool == "ctmigrate" && r.Runtime == runtime && r.MemoryMib == other.MemoryMib && r.DirtyMibS == other.DirtyMibS);
            if (ours is not null)
            {
                var name = other.Tool switch { "docker" => "docker checkpoint", "runc" => "runc by hand", _ => other.Tool };
                yield return string.Create(
                    CultureInfo.InvariantCulture,
                    $"{RowName(other)}: ctmigrate ({runtime}) is {other.GapMs / ours.GapMs:0.0} times shorter than {name} ({ours.GapMs:0} ms, {other.GapMs:0} ms), with 16 connections {other.Gap16Ms / ours.Gap16Ms:0.0} times");
            }
        }
    }

    // How the pause goes with memory, and what clients that keep sending feel beside one that waits.
    private static IEnumerable<string> OwnRatios(IReadOnlyList<BenchmarkRun> runs)
    {
        foreach (var group in runs.Where(r => r is { Tool: "ctmigrate", Median: true }).GroupBy(r => r.Runtime))
        {
            var still = group.Where(r => r.DirtyMibS == 0).OrderBy(r => r.MemoryMib).ToList();
            if (still is [var small, .., var large])
            {
                yield return string.Create(CultureInfo.InvariantCulture, $"ctmigrate ({group.Key}): gap at {large.MemoryMib} MiB / gap at {small.MemoryMib} MiB = {large.GapMs / small.GapMs:0.00}");
            }
        }

        var shares = runs.Where(r => r is { Tool: "ctmigrate", Ok: true, GapMs: not null, Gap16Ms: not null }).Select(r => r.Gap16Ms!.Value / r.GapMs!.Value).Order().ToList();
        if (shares.Count > 0)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"ctmigrate: gap of 16 connections / gap of the waiting client = {shares[shares.Count / 2]:0.00} (median of {shares.Count} migrations, {shares[0]:0.00} to {shares[^1]:0.00})");
        }
    }

    private static string RowName(BenchmarkRun run) => string.Create(CultureInfo.InvariantCulture, $"{run.MemoryMib} MiB, {run.DirtyMibS} MiB/s");

    private static string Text(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "-";
}
