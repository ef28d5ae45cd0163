using ContainerMigrate.Benchmarks.Lab;

namespace ContainerMigrate.Benchmarks.Contenders;

/// <summary>
/// What an expert does with Docker alone: `docker checkpoint create`, the checkpoint copied to the other host, `docker start
/// --checkpoint` of a container that was created there before. CRIU is told to keep TCP connections.
/// </summary>
internal sealed class DockerCheckpointContender(BenchmarkLab lab) : IContender
{
    private const string CheckpointDirectory = "/var/tmp/bench-checkpoint";
    private const string Checkpoint = "move";

    private readonly ByHand _hand = new(lab);
    private string _target = "";

    /// <inheritdoc/>
    public string Tool => "docker";

    /// <inheritdoc/>
    public string Runtime => "docker";

    /// <inheritdoc/>
    public string Mode => "stop-and-copy";

    /// <inheritdoc/>
    public async Task PrepareAsync(Workload workload, CancellationToken cancellationToken)
    {
        foreach (var host in _hand.Hosts)
        {
            // It would hold for the others' dumps and restores too: CleanUpAsync removes it.
            await host.ShellAsync("mkdir -p /etc/criu; echo tcp-established >/etc/criu/runc.conf", cancellationToken);
        }

        await lab.H1.RunAsync(["docker", "run", "-d", .. workload.DockerArguments], cancellationToken);
        _target = await lab.H2.RunAsync(["docker", "create", .. workload.DockerArguments], cancellationToken);
        await _hand.CloseAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<MoveResult> MoveAsync(CancellationToken cancellationToken)
    {
        await _hand.StepAsync("checkpoint", () => lab.H1.RunAsync(["docker", "checkpoint", "create", "--checkpoint-dir", CheckpointDirectory, Workload.Container, Checkpoint], cancellationToken));
        // `docker start` takes no checkpoint directory but the container's own ("custom checkpointdir is not supported").
        var sent = await _hand.CopyAsync(CheckpointDirectory, Checkpoint, $"/var/lib/docker/containers/{_target}/checkpoints", cancellationToken);
        await _hand.StepAsync("start", () => lab.H2.RunAsync(["docker", "start", "--checkpoint", Checkpoint, Workload.Container], cancellationToken));
        await _hand.OpenAsync(cancellationToken);
        return new MoveResult(Mode, sent, WireBytes: sent, PauseMs: null, new Dictionary<string, double>(_hand.Parts));
    }

    /// <inheritdoc/>
    public Task CleanUpAsync(CancellationToken cancellationToken) =>
        _hand.CleanUpAsync($"docker ps -aq | xargs -r docker rm -f >/dev/null; rm -rf /etc/criu/runc.conf {CheckpointDirectory}", cancellationToken);
}
