using System.Globalization;
using System.Runtime.InteropServices;
using ContainerMigrate.Benchmarks;
using ContainerMigrate.Benchmarks.Contenders;
using ContainerMigrate.Benchmarks.Files;
using ContainerMigrate.Benchmarks.Lab;
using ContainerMigrate.Benchmarks.Prediction;
using ContainerMigrate.Benchmarks.Results;
using ContainerMigrate.Benchmarks.Tracking;
using ContainerMigrate.Benchmarks.Transport;
using ContainerMigrate.HostTests.Lab;

if (await PlainTls.RunAsync(args) is { } ended)
{
    return ended;
}

if (args is [MemoryWriter.Verb, var mebibytes])
{
    MemoryWriter.Run(int.Parse(mebibytes, CultureInfo.InvariantCulture));
}

if (!BenchmarkOptions.TryParse(args, out var options, out var error))
{
    Console.Error.WriteLine($"{error}\n{BenchmarkOptions.Usage}");
    return 2;
}

// However it ends, the lab is taken down: a signal ends the run that is going on, and what was measured is still shown.
using var stop = new CancellationTokenSource();
void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    stop.Cancel();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);

var runs = new List<BenchmarkRun>();
var complete = false;
if (options.Tracking)
{
    await TrackingBenchmark.RunAsync(options.Runs, runs, stop.Token);
    await ResultFile.WriteAsync(options.ResultPath, runs);
    ResultReport.Write(runs);
    return 0;
}

await using (var lab = new BenchmarkLab(options.InstallTree))
{
    try
    {
        await lab.RaiseAsync(stop.Token);
        if (options.Prediction)
        {
            await new PredictionBenchmark(lab).RunAsync(PredictionBenchmark.Learning + options.Runs, runs, stop.Token);
        }
        else if (options.Files)
        {
            await new FilesBenchmark(lab, options.LargeFileMib, options.SmallFiles).RunAsync(options.Runs, runs, stop.Token);
        }
        else if (!options.Transport)
        {
            var runner = new BenchmarkRunner(
                lab, [new CtMigrateContender(lab), new CtMigrateContender(lab, "runc"), new DockerCheckpointContender(lab), new PodmanContender(lab), new RuncContender(lab)]);
            var plan = options.Quick ? BenchmarkPlan.Quick(options.Runs) : BenchmarkPlan.Full(options.Runs);
            await runner.RunAsync(options.MemoryMib is { } memory ? plan with { Rows = [.. plan.Rows.Where(r => r.MemoryMib == memory)] } : plan, runs, stop.Token);
        }

        if (options is { Quick: false, Prediction: false, Files: false, MemoryMib: null })
        {
            await new TransportBenchmark(lab).RunAsync(options.Runs, runs, stop.Token);
        }

        if (options is { Quick: false, Prediction: false, Files: false, MemoryMib: null, Transport: false })
        {
            await TrackingBenchmark.RunAsync(options.Runs, runs, stop.Token);
        }

        complete = true;
    }
    catch (OperationCanceledException) when (stop.IsCancellationRequested)
    {
        Console.Error.WriteLine("bench: stopped before its end");
    }
    catch (Exception e) when (e is CommandFailedException or TimeoutException or IOException)
    {
        Console.Error.WriteLine($"bench: {e.Message}");
    }

    Median.Mark(runs);
    if (runs.Count > 0)
    {
        await ResultFile.WriteAsync(options.ResultPath, runs);
        ResultReport.Write(runs);
        Console.WriteLine($"written to {options.ResultPath}");
    }
}

return complete && runs.Count > 0 && runs.TrueForAll(r => r.Ok) ? 0 : 1;
