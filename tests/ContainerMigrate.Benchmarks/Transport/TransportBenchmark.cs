using System.Globalization;
using System.Text.Json.Nodes;
using ContainerMigrate.Benchmarks.Contenders;
using ContainerMigrate.Benchmarks.Lab;
using ContainerMigrate.Benchmarks.Results;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.Benchmarks.Transport;

/// <summary>
/// How fast pre-copy is beside <see cref="PlainTls"/>: both in turn, as many bytes, between the same two hosts, so that a busy moment of the
/// machine hits both. A round's time begins with its request and ends with the destination's acknowledgement of everything.
/// </summary>
internal sealed class TransportBenchmark(BenchmarkLab lab)
{
    /// <summary><see cref="BenchmarkRun.Tool"/> of its results.</summary>
    public const string Tool = "transport";

    private const int MemoryMib = 1024;

    private static readonly TimeSpan LastResort = TimeSpan.FromMinutes(2);

    /// <summary>Adds one result a pair to <paramref name="runs"/> as they come.</summary>
    public async Task RunAsync(int pairs, ICollection<BenchmarkRun> runs, CancellationToken cancellationToken)
    {
        var mover = new CtMigrateContender(lab);
        for (var number = 1; number <= pairs; number++)
        {
            var run = new BenchmarkRun { Tool = Tool, Runtime = mover.Runtime, Mode = mover.Mode, MemoryMib = MemoryMib, DirtyMibS = 0, Run = number };
            try
            {
                var plain = await MeasureTlsAsync(cancellationToken);
                await mover.PrepareAsync(new Workload(MemoryMib, 0), cancellationToken);
                await lab.H1.ShellAsync($"until docker logs {Workload.Container} 2>&1 | grep -q listening; do sleep 0.1; done", cancellationToken);
                var (bytes, milliseconds) = await MeasureFirstRoundAsync(cancellationToken);
                var rate = bytes / (milliseconds / 1000);
                run = run with { Ok = true, SentBytes = bytes, TlsBytesS = Math.Round(plain), PreCopyBytesS = Math.Round(rate), TlsShare = Math.Round(rate / plain, 3) };
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

    /// <summary>Each pair, and the one in the middle.</summary>
    public static IEnumerable<string> Report(IEnumerable<BenchmarkRun> runs)
    {
        var mine = runs.Where(r => r.Tool == Tool).ToList();
        var shares = mine.Where(r => r.Ok).Select(r => r.TlsShare!.Value).Order().ToList();
        return shares.Count == 0
            ? mine.Select(Text)
            : [.. mine.Select(Text), string.Create(CultureInfo.InvariantCulture, $"pre-copy moves memory at {100 * shares[shares.Count / 2]:0} % of one plain TLS stream (median of {shares.Count}, {100 * shares[0]:0} to {100 * shares[^1]:0})")];
    }

    private static string Text(BenchmarkRun run) => run.Ok
        ? string.Create(CultureInfo.InvariantCulture, $"transport, pair {run.Run}: plain TLS {run.TlsBytesS / 1e6:0} MB/s, pre-copy {run.PreCopyBytesS / 1e6:0} MB/s, {100 * run.TlsShare:0} %")
        : $"transport, pair {run.Run} FAILED: {run.Reason}";

    private static async Task<double> MeasureTlsAsync(CancellationToken cancellationToken)
    {
        const string Address = "10.77.0.12";
        const long Bytes = (long)MemoryMib << 20;
        await using var receiver = Start("h2", PlainTls.ReceiveVerb, Address);
        receiver.Input.Close();
        var certificate = await receiver.WaitForOutputAsync(line => line.Length > 0).WaitAsync(cancellationToken);
        await using var sender = Start("h1", PlainTls.SendVerb, Address, certificate, Bytes.ToString(CultureInfo.InvariantCulture));
        sender.Input.Close();
        var seconds = (await sender.WaitAsync(LastResort).WaitAsync(cancellationToken)).Checked().Text;
        await receiver.WaitAsync(LastResort).WaitAsync(cancellationToken);
        return Bytes / double.Parse(seconds, CultureInfo.InvariantCulture);
    }

    // In a host's network, and with this machine's files: the hosts have no .NET of their own.
    private static LabProcess Start(string host, params string[] arguments) =>
        new("nsenter", [$"--net=/run/netns/{BenchmarkLab.Prefix}-{host}", Environment.ProcessPath!, .. arguments]);

    private async Task<(long Bytes, double Milliseconds)> MeasureFirstRoundAsync(CancellationToken cancellationToken)
    {
        var command = await lab.H1.TryAsync(["ctmigrate", "migrate", Workload.Container, lab.H2.Name, "--json"], cancellationToken);
        if (command.ExitCode != 0)
        {
            throw new MoveFailedException($"exit code {command.ExitCode}: {string.Join("; ", command.ErrorLines)}");
        }

        var round = command.Lines.Select(line => JsonNode.Parse(line)?["rounds"] as JsonArray).LastOrDefault(rounds => rounds?.Count > 0)?[0]
            ?? throw new MoveFailedException("no round of pre-copy");
        return ((long)round["sent_bytes"]!, (double)round["duration_ms"]!);
    }
}
