using System.Globalization;
using ContainerMigrate.Benchmarks.Contenders;
using ContainerMigrate.Benchmarks.Lab;
using ContainerMigrate.Benchmarks.Results;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.Benchmarks.Prediction;

/// <summary>How long each pause was beside how long it had been predicted to be, on hosts that begin with no history.</summary>
internal sealed class PredictionBenchmark(BenchmarkLab lab)
{
    /// <summary><see cref="BenchmarkRun.Tool"/> of its results.</summary>
    public const string Tool = "prediction";

    /// <summary>Migrations that are not counted: what is learned has to come from somewhere.</summary>
    public const int Learning = 4;

    private const double Tolerance = 0.3;

    private static readonly Workload[] Workloads = [new(64, 0), new(1024, 0), new(256, 50), new(512, 0), new(128, 20), new(768, 50)];

    /// <summary>Adds one result a migration to <paramref name="runs"/> as they come.</summary>
    public async Task RunAsync(int migrations, ICollection<BenchmarkRun> runs, CancellationToken cancellationToken)
    {
        var mover = new CtMigrateContender(lab);
        for (var number = 1; number <= migrations; number++)
        {
            var workload = Workloads[(number - 1) % Workloads.Length];
            var run = new BenchmarkRun { Tool = Tool, Runtime = mover.Runtime, Mode = mover.Mode, MemoryMib = workload.MemoryMib, DirtyMibS = workload.DirtyMibPerSecond, Run = number };
            try
            {
                await mover.PrepareAsync(workload, cancellationToken);
                await lab.H1.ShellAsync($"until docker logs {Workload.Container} 2>&1 | grep -q listening; do sleep 0.1; done", cancellationToken);
                var moved = await mover.MoveAsync(cancellationToken);
                run = run with { Ok = true, Mode = moved.Mode, PauseMs = moved.PauseMs, PredictedMs = moved.PredictedMs, PauseParts = moved.Parts, SentBytes = moved.SentBytes };
            }
            catch (Exception e) when (e is MoveFailedException or CommandFailedException or TimeoutException)
            {
                run = run with { Reason = e.Message };
            }

            runs.Add(run);
            Console.Error.WriteLine($"bench: {Text(run)}");
            await mover.CleanUpAsync(cancellationToken);
        }
    }

    /// <summary>Each migration, and how many were predicted well.</summary>
    public static IEnumerable<string> Report(IEnumerable<BenchmarkRun> runs)
    {
        var mine = runs.Where(r => r.Tool == Tool).ToList();
        var counted = mine.Where(r => r is { Ok: true, PauseMs: not null, PredictedMs: not null } && r.Run > Learning).ToList();
        return counted.Count == 0
            ? mine.Select(Text)
            : [.. mine.Select(Text), string.Create(CultureInfo.InvariantCulture, $"{counted.Count(r => Math.Abs(ErrorOf(r)) <= Tolerance)} of {counted.Count} pauses within {100 * Tolerance:0} % of their prediction, the first {Learning} left out")];
    }

    private static double ErrorOf(BenchmarkRun run) => (run.PredictedMs!.Value / run.PauseMs!.Value) - 1;

    private static string Text(BenchmarkRun run) => run.Ok
        ? string.Create(CultureInfo.InvariantCulture, $"migration {run.Run,2}, {run.MemoryMib,4} MiB, {run.DirtyMibS,2} MiB/s: predicted {run.PredictedMs,5:0} ms, measured {run.PauseMs,5:0}, {100 * ErrorOf(run),4:+0;-0;0} %")
        : $"migration {run.Run} FAILED: {run.Reason}";
}
