using ContainerMigrate.Api;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Migration;

/// <summary>
/// Pre-copy: sends a running container's memory in rounds, each what was written during the one before, until the pause that is left is
/// short enough or another round does not help.
/// </summary>
/// <param name="memory">The container's; not owned.</param>
/// <param name="send">Sends one page stream to the destination.</param>
/// <param name="mode">Post-copy ends after one round.</param>
/// <param name="throttle">Slows the container down where that is wanted; null: it is not.</param>
/// <param name="report">Told of each round once its end is decided.</param>
internal sealed class MemoryRounds(
    TravellingMemory memory, ConvergencePolicy policy, PausePrediction fixedPause, string mode, string onStall, CpuThrottle? throttle, TimeProvider time,
    Func<int, Func<Stream, CancellationToken, Task>, CancellationToken, Task> send, Action<PreCopyRound> report)
{
    // Below this a round's rate says more about the round trip than about the connection.
    private const long MeasurableBytes = 4 << 20;

    private double _bytesPerSecond;
    private long _lastScan;

    /// <summary>Rounds that have sent something.</summary>
    public int Count { get; private set; }

    /// <summary>What is dirty at the end stays behind: the destination asks for it when it runs the container.</summary>
    public bool LeavesRest { get; private set; }

    /// <summary>The pause as it was predicted when the rounds ended; null before.</summary>
    public PausePrediction? Prediction { get; private set; }

    /// <inheritdoc cref="ISourceMemory.LeftToCopyMs"/>
    public double LeftToCopyMs { get; private set; }

    private double CopyMs => 1000 * memory.PendingBytes / _bytesPerSecond;

    /// <summary>Copies until it is time to freeze.</summary>
    /// <param name="bytesPerSecond">What the connection carried when it was tried.</param>
    /// <param name="late">Set when the time for copying ahead has passed.</param>
    /// <exception cref="MigrationException">The operator does not want the longer pause that is left.</exception>
    public async Task RunAsync(double bytesPerSecond, CancellationToken late, CancellationToken cancellationToken)
    {
        _bytesPerSecond = bytesPerSecond;
        await memory.ScanAsync(cancellationToken);
        _lastScan = time.GetTimestamp();
        while (true)
        {
            var dirty = memory.PendingBytes;
            var prediction = PredictNow();
            var decision = mode == MigrationModes.PostCopy ? DecideOnce(late) : policy.Decide(dirty, prediction.CopyMs, prediction.TotalMs, late.IsCancellationRequested);
            var round = new PreCopyRound
            {
                Number = Count + 1, DirtyBytes = dirty, PredictedPauseMs = Math.Round(prediction.TotalMs), StoppedMs = memory.Stopped.TotalMilliseconds, Verdict = decision.Reason,
            };
            if (decision.Step == ConvergenceStep.Stalled && !late.IsCancellationRequested && throttle?.Tighten() is { } slowed)
            {
                policy.BeginAnew();
                report(await CopyAsync(round with { Verdict = $"{decision.Reason}; {slowed}" }, cancellationToken));
                continue;
            }

            if (decision.Step == ConvergenceStep.CopyAgain)
            {
                report(await CopyAsync(round, cancellationToken));
                continue;
            }

            if (decision.Step == ConvergenceStep.Stalled && onStall == StallActions.Abort)
            {
                throw new MigrationException("pre-copy", decision.Reason, FormattableString.Invariant($"`--on-stall accept` takes that pause, `--max-downtime {Math.Ceiling(prediction.TotalMs / 100) * 100:0}ms` expects it"));
            }

            LeavesRest = mode == MigrationModes.PostCopy || (decision.Step == ConvergenceStep.Stalled && onStall == StallActions.PostCopy);
            if (LeavesRest)
            {
                prediction = prediction with { CopyMs = 0 };
                round = round with { PredictedPauseMs = Math.Round(prediction.TotalMs), Verdict = $"{round.Verdict}; the rest follows after the switchover" };
            }

            report(round with { CpuPercent = CpuPercent });
            Prediction = prediction;
            LeftToCopyMs = LeavesRest ? 0 : CopyMs;
            return;
        }
    }

    // Most of what a container has it does not write all the time: sent once ahead, that is not waited for on the destination.
    private ConvergenceDecision DecideOnce(CancellationToken late) =>
        late.IsCancellationRequested ? new(ConvergenceStep.SwitchOver, "post-copy: the time allowed for copying ahead has passed")
        : Count == 0 ? new(ConvergenceStep.CopyAgain, "post-copy: all goes ahead once")
        : new(ConvergenceStep.SwitchOver, "post-copy: all has gone ahead once");

    private double? CpuPercent => throttle?.LimitCpus is { } cpus ? Math.Round(100 * cpus) : null;

    private PausePrediction PredictNow() => fixedPause with { CopyMs = fixedPause.CopyFactor * CopyMs };

    private async Task<PreCopyRound> CopyAsync(PreCopyRound round, CancellationToken cancellationToken)
    {
        Count++;
        var start = time.GetTimestamp();
        PageStreamTotals sent = default;
        await send(Count, async (stream, token) => sent = await memory.SendPendingAsync(stream, token), cancellationToken);
        var copying = time.GetElapsedTime(start);
        var bytes = (long)sent.DataPages * MemoryPage.Bytes;
        if (bytes >= MeasurableBytes)
        {
            _bytesPerSecond = bytes / copying.TotalSeconds;
        }

        await memory.ScanAsync(cancellationToken);
        throttle?.Observe();
        var now = time.GetTimestamp();
        var sinceScan = time.GetElapsedTime(_lastScan, now);
        _lastScan = now;
        return round with
        {
            SentBytes = bytes,
            DurationMs = Math.Round(copying.TotalMilliseconds, 1),
            BytesPerSecond = Math.Round(bytes / copying.TotalSeconds),
            PredictedPauseMs = Math.Round(PredictNow().TotalMs),
            DirtyBytesPerSecond = Math.Round(memory.PendingBytes / sinceScan.TotalSeconds),
            StoppedMs = memory.Stopped.TotalMilliseconds,
            CpuPercent = CpuPercent,
        };
    }
}
