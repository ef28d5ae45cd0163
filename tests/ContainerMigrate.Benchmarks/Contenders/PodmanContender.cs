using ContainerMigrate.Benchmarks.Lab;

namespace ContainerMigrate.Benchmarks.Contenders;

/// <summary>What an expert does with Podman: `checkpoint --export` into memory, uncompressed, the archive copied, `restore --import`.</summary>
internal sealed class PodmanContender(BenchmarkLab lab) : IContender
{
    private const string Directory = "/tmp"; // a tmpfs
    private const string Archive = "bench-checkpoint.tar";

    // The lab's hosts have no systemd, and not always controllers.
    private static readonly string[] Podman = ["podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs"];

    private readonly ByHand _hand = new(lab);

    /// <inheritdoc/>
    public string Tool => "podman";

    /// <inheritdoc/>
    public string Runtime => "podman";

    /// <inheritdoc/>
    public string Mode => "stop-and-copy";

    /// <inheritdoc/>
    public async Task PrepareAsync(Workload workload, CancellationToken cancellationToken)
    {
        foreach (var host in _hand.Hosts)
        {
            await host.ShellAsync(
                "podman network exists lan || podman network create -d macvlan -o parent=eth0 --ipv6 --subnet 10.77.0.0/24 --gateway 10.77.0.1 --subnet fd77::/64 --gateway fd77::1 lan >/dev/null; "
                + $"podman image exists {Workload.Image} || docker save {Workload.Image} | podman load -q >/dev/null",
                cancellationToken);
        }

        await lab.H1.RunAsync([.. Podman, "run", "-d", "--pids-limit", "0", .. workload.DockerArguments], cancellationToken);
        await _hand.CloseAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<MoveResult> MoveAsync(CancellationToken cancellationToken)
    {
        await _hand.StepAsync("checkpoint", () => lab.H1.RunAsync(
            [.. Podman, "container", "checkpoint", Workload.Container, "--export", $"{Directory}/{Archive}", "--tcp-established", "--compress", "none"], cancellationToken));
        var sent = await _hand.CopyAsync(Directory, Archive, Directory, cancellationToken);
        await _hand.StepAsync("restore", () => lab.H2.RunAsync([.. Podman, "container", "restore", "--import", $"{Directory}/{Archive}", "--tcp-established"], cancellationToken));
        await _hand.OpenAsync(cancellationToken);
        return new MoveResult(Mode, sent, WireBytes: sent, PauseMs: null, new Dictionary<string, double>(_hand.Parts));
    }

    /// <inheritdoc/>
    public Task CleanUpAsync(CancellationToken cancellationToken) =>
        _hand.CleanUpAsync($"{string.Join(' ', Podman)} rm -fa >/dev/null; rm -f {Directory}/{Archive}", cancellationToken);
}
