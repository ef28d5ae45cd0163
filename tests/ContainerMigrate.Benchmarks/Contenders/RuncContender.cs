using ContainerMigrate.Benchmarks.Lab;

namespace ContainerMigrate.Benchmarks.Contenders;

/// <summary>
/// What an expert's script does with runc alone: `runc checkpoint` into memory, the images copied, `runc restore` of a bundle whose files and network namespace
/// stand ready on h2. Rounds by `--pre-dump` are left out: CRIU's need soft-dirty bits, which few kernels beside Debian's own have, and the lab's may not.
/// </summary>
internal sealed class RuncContender(BenchmarkLab lab) : IContender
{
    private const string Images = "/tmp/bench-images"; // in a tmpfs

    private readonly ByHand _hand = new(lab);

    /// <inheritdoc/>
    public string Tool => "runc";

    /// <inheritdoc/>
    public string Runtime => "runc";

    /// <inheritdoc/>
    public string Mode => "stop-and-copy";

    /// <inheritdoc/>
    public async Task PrepareAsync(Workload workload, CancellationToken cancellationToken)
    {
        await _hand.CloseAsync(cancellationToken);
        await BenchmarkLab.BundleAsync(lab.H2, workload, start: false, cancellationToken);
        await BenchmarkLab.BundleAsync(lab.H1, workload, start: true, cancellationToken);
        foreach (var host in _hand.Hosts)
        {
            await host.RunAsync(["mkdir", "-p", $"{Images}/work"], cancellationToken);
        }
    }

    /// <inheritdoc/>
    public async Task<MoveResult> MoveAsync(CancellationToken cancellationToken)
    {
        await _hand.StepAsync("checkpoint", () => lab.H1.RunAsync(
            ["runc", "checkpoint", "--tcp-established", "--image-path", Images, "--work-path", $"{Images}/work", Workload.Container], cancellationToken));
        var sent = await _hand.CopyAsync(Images, ".", Images, cancellationToken);
        await _hand.StepAsync("restore", () => lab.H2.ShellAsync(
            $"runc restore --detach --tcp-established --image-path {Images} --work-path {Images}/work --bundle {BenchmarkLab.Bundle} {Workload.Container} </dev/null >/dev/null 2>&1", cancellationToken));
        await _hand.OpenAsync(cancellationToken);
        return new MoveResult(Mode, sent, WireBytes: sent, PauseMs: null, new Dictionary<string, double>(_hand.Parts));
    }

    /// <inheritdoc/>
    public Task CleanUpAsync(CancellationToken cancellationToken) => _hand.CleanUpAsync($"{BenchmarkLab.RemoveBundle}; rm -rf {Images}", cancellationToken);
}
