using System.Diagnostics;
using ContainerMigrate.Benchmarks.Clients;
using ContainerMigrate.Benchmarks.Contenders;
using ContainerMigrate.Benchmarks.Lab;
using ContainerMigrate.Benchmarks.Results;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.Benchmarks;

/// <summary>Moves containers with clients looking on, one fresh container a run.</summary>
internal sealed class BenchmarkRunner(BenchmarkLab lab, IReadOnlyList<IContender> contenders)
{
    /// <summary>How long the clients are served before the move: their p99 at rest comes from it.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(3);

    /// <summary>How long they are served after it; replies that are still due then are waited for.</summary>
    private static readonly TimeSpan Aftermath = TimeSpan.FromSeconds(1.5);

    /// <summary>Adds one result a run to <paramref name="runs"/> as they come; one that failed says why.</summary>
    public async Task RunAsync(BenchmarkPlan plan, ICollection<BenchmarkRun> runs, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        foreach (var row in plan.Rows)
        {
            for (var number = 1; number <= row.Tools.Max(t => t.Runs); number++)
            {
                foreach (var planned in row.Tools.Where(t => number <= t.Runs && (number <= t.AtLeast || !(clock.Elapsed > plan.TimeLimit))))
                {
                    var run = await RunAsync(contenders.Single(c => c.Tool == planned.Tool && c.Runtime == planned.Runtime), row, number, cancellationToken);
                    runs.Add(run);
                    Console.Error.WriteLine($"bench: {run}");
                }
            }
        }
    }

    private async Task<BenchmarkRun> RunAsync(IContender contender, PlannedRow row, int number, CancellationToken cancellationToken)
    {
        var run = new BenchmarkRun
        {
            Tool = contender.Tool,
            Runtime = contender.Runtime,
            Mode = contender.Mode,
            MemoryMib = row.MemoryMib,
            DirtyMibS = row.DirtyMibPerSecond,
            Run = number,
        };
        try
        {
            await contender.PrepareAsync(new Workload(row.MemoryMib, row.DirtyMibPerSecond), cancellationToken);
            return await MeasureAsync(contender, run, cancellationToken);
        }
        catch (Exception e) when (e is MoveFailedException or CommandFailedException or TimeoutException)
        {
            return run with { Reason = e.Message };
        }
        finally
        {
            // When the benchmark is stopped the lab goes, and everything in it.
            if (!cancellationToken.IsCancellationRequested)
            {
                await contender.CleanUpAsync(cancellationToken);
            }
        }
    }

    private async Task<BenchmarkRun> MeasureAsync(IContender contender, BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var waiting = await GapClient.ConnectAsync(lab.Client, "waiting client", ["--mode", "wait", "--every", "5", "--connections", "1", "--latencies"], cancellationToken);
        await using var steady = await GapClient.ConnectAsync(lab.Client, "16 connections", ["--mode", "steady", "--every", "20", "--connections", "16"], cancellationToken);
        await Task.Delay(Rest, cancellationToken);

        var begin = DateTimeOffset.UtcNow;
        MoveResult? moved = null;
        string? failure = null;
        try
        {
            moved = await contender.MoveAsync(cancellationToken);
        }
        catch (Exception e) when (e is MoveFailedException or CommandFailedException or TimeoutException)
        {
            failure = e.Message;
        }

        var end = DateTimeOffset.UtcNow;
        await Task.Delay(Aftermath, cancellationToken);
        var reports = await Task.WhenAll(waiting.StopAsync(cancellationToken), steady.StopAsync(cancellationToken));
        var (one, many) = (reports[0], reports[1]);
        var times = new ServiceTimes(one);
        failure ??= reports.Select(r => r.Fault).FirstOrDefault(f => f is not null);
        return run with
        {
            Ok = failure is null,
            Reason = failure,
            Mode = moved?.Mode ?? run.Mode,
            GapMs = one.GapMs,
            Gap16Ms = many.GapMs,
            TotalMs = Math.Round((end - begin).TotalMilliseconds, 1),
            SentBytes = moved?.SentBytes,
            WireBytes = moved?.WireBytes,
            P50Ms = times.Percentile(0.50, begin, end),
            P99Ms = times.Percentile(0.99, begin, end),
            RestP99Ms = times.Percentile(0.99, DateTimeOffset.MinValue, begin),
            Connections = one.Connections + many.Connections,
            ConnectionsKept = one.ConnectionsKept + many.ConnectionsKept,
            PauseMs = moved?.PauseMs,
            PauseParts = moved?.Parts,
        };
    }
}
