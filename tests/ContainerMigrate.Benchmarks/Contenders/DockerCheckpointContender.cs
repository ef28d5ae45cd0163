using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using ContainerMigrate.Benchmarks.Lab;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.Benchmarks.Contenders;

/// <summary>
/// What an expert does with Docker alone: `docker checkpoint create`, the checkpoint copied to the other host, `docker start
/// --checkpoint` of a container that was created there before. Everything is done for it that helps it: CRIU is told to keep TCP
/// connections, the copy is a plain tar pipe from memory to memory, and packets for the container are dropped on h2 until it
/// runs, since one that arrives before its sockets do would be answered with a reset.
/// </summary>
internal sealed partial class DockerCheckpointContender(BenchmarkLab lab) : IContender
{
    private const string CheckpointDirectory = "/var/tmp/bench-checkpoint";
    private const string Checkpoint = "move";

    private string _target = "";

    /// <inheritdoc/>
    public string Tool => "docker";

    /// <inheritdoc/>
    public string Runtime => "docker";

    /// <inheritdoc/>
    public string Mode => "stop-and-copy";

    private LabMember[] Hosts => [lab.H1, lab.H2];

    /// <inheritdoc/>
    public async Task PrepareAsync(Workload workload, CancellationToken cancellationToken)
    {
        foreach (var host in Hosts)
        {
            // It would hold for the others' dumps and restores too: CleanUpAsync removes it.
            await host.ShellAsync("mkdir -p /etc/criu; echo tcp-established >/etc/criu/runc.conf", cancellationToken);
        }

        await lab.H1.RunAsync(["docker", "run", "-d", .. workload.DockerArguments], cancellationToken);
        _target = await lab.H2.RunAsync(["docker", "create", .. workload.DockerArguments], cancellationToken);
        // Ahead of the macvlan device, whose parent eth0 is.
        await lab.H2.RunAsync(
            ["nft", $"add table netdev fence; add chain netdev fence in {{ type filter hook ingress device eth0 priority -500; }}; add rule netdev fence in ip daddr {Workload.Address} drop"],
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<MoveResult> MoveAsync(CancellationToken cancellationToken)
    {
        var parts = new Dictionary<string, double>();
        await StepAsync("checkpoint", () => lab.H1.RunAsync(["docker", "checkpoint", "create", "--checkpoint-dir", CheckpointDirectory, Workload.Container, Checkpoint], cancellationToken));
        var sent = await StepAsync("copy", () => CopyAsync(cancellationToken));
        await StepAsync("start", () => lab.H2.RunAsync(["docker", "start", "--checkpoint", Checkpoint, Workload.Container], cancellationToken));
        await StepAsync("open", () => lab.H2.RunAsync(["nft", "delete table netdev fence"], cancellationToken));
        return new MoveResult(Mode, sent, WireBytes: sent, PauseMs: null, parts);

        async Task<T> StepAsync<T>(string name, Func<Task<T>> step)
        {
            var clock = Stopwatch.StartNew();
            var result = await step();
            parts[name] = Math.Round(clock.Elapsed.TotalMilliseconds, 1);
            return result;
        }
    }

    /// <inheritdoc/>
    public async Task CleanUpAsync(CancellationToken cancellationToken)
    {
        foreach (var host in Hosts)
        {
            await host.ShellAsync(
                $"docker ps -aq | xargs -r docker rm -f >/dev/null; nft delete table netdev fence 2>/dev/null || true; rm -rf /etc/criu/runc.conf {CheckpointDirectory}",
                cancellationToken);
        }
    }

    // `docker start` takes no checkpoint directory but the container's own ("custom checkpointdir is not supported").
    private async Task<long> CopyAsync(CancellationToken cancellationToken)
    {
        var host = BenchmarkLab.InRepository("tests", "lab", "host");
        var pipe = $"'{host}' h1 tar -C {CheckpointDirectory} -c --totals {Checkpoint} | '{host}' h2 tar -C /var/lib/docker/containers/{_target}/checkpoints -x";
        await using var process = new LabProcess("bash", ["-euo", "pipefail", "-c", pipe], BenchmarkLab.Environment);
        process.Input.Close();
        var result = (await process.WaitAsync(TimeSpan.FromMinutes(10)).WaitAsync(cancellationToken)).Checked();
        return TotalBytes().Match(result.Error) is { Success: true } match
            ? long.Parse(match.Groups["bytes"].Value, CultureInfo.InvariantCulture)
            : throw new MoveFailedException($"tar did not tell how much it sent: {result.Error}");
    }

    [GeneratedRegex(@"Total bytes written: (?<bytes>\d+)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex TotalBytes();
}
