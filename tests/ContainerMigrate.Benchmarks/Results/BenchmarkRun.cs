using System.Globalization;
using ContainerMigrate.Benchmarks.Contenders;

namespace ContainerMigrate.Benchmarks.Results;

/// <summary>One container moved once: an element of bench.json. What was not reached is null.</summary>
internal sealed record BenchmarkRun
{
    /// <inheritdoc cref="IContender.Tool"/>
    public required string Tool { get; init; }

    public required string Runtime { get; init; }

    /// <summary>How memory was moved.</summary>
    public required string Mode { get; init; }

    public required int MemoryMib { get; init; }

    public required int DirtyMibS { get; init; }

    /// <summary>Which run of its row, from 1.</summary>
    public required int Run { get; init; }

    /// <summary>True for the run of its row and tool whose gap is the median: see <see cref="Results.Median"/>.</summary>
    public bool Median { get; init; }

    /// <summary>Moved, every connection kept, every reply there once.</summary>
    public bool Ok { get; init; }

    /// <summary>Why it is not <see cref="Ok"/>.</summary>
    public string? Reason { get; init; }

    /// <summary>Longest time without a reply for a client that waits for each answer.</summary>
    public double? GapMs { get; init; }

    /// <summary>The same for the worst of 16 connections that send every 20 ms.</summary>
    public double? Gap16Ms { get; init; }

    /// <summary>From the first command to the end of the last one.</summary>
    public double? TotalMs { get; init; }

    public long? SentBytes { get; init; }

    public long? WireBytes { get; init; }

    /// <summary>The waiting client's median while the container was being moved, the gap left out.</summary>
    public double? P50Ms { get; init; }

    /// <summary>The 99th percentile of the same.</summary>
    public double? P99Ms { get; init; }

    /// <summary>The 99th percentile before the move.</summary>
    public double? RestP99Ms { get; init; }

    /// <summary>Share of its work that the program lost: see <see cref="Tracking.TrackingBenchmark"/>.</summary>
    public double? Slowdown { get; init; }

    /// <summary>A scan of memory under <see cref="Tracking.TrackingBenchmark"/>.</summary>
    public double? ScanMs { get; init; }

    public int? Connections { get; init; }

    public int? ConnectionsKept { get; init; }

    /// <inheritdoc cref="MoveResult.PauseMs"/>
    public double? PauseMs { get; init; }

    /// <inheritdoc cref="MoveResult.PredictedMs"/>
    public double? PredictedMs { get; init; }

    /// <inheritdoc cref="MoveResult.Parts"/>
    public IReadOnlyDictionary<string, double>? PauseParts { get; init; }

    /// <summary>Bytes a second of the first round of pre-copy: see <see cref="Transport.TransportBenchmark"/>.</summary>
    public double? PreCopyBytesS { get; init; }

    /// <summary>Bytes a second of one plain TLS stream, right before.</summary>
    public double? TlsBytesS { get; init; }

    /// <summary>The one as a share of the other.</summary>
    public double? TlsShare { get; init; }

    /// <summary>Seconds of a volume's first copy: see <see cref="Files.FilesBenchmark"/>.</summary>
    public double? FirstCopyS { get; init; }

    /// <summary>Seconds that another program took for the same, right before.</summary>
    public double? OtherCopyS { get; init; }

    /// <summary>What was sent again after 1 % of the blocks had been written, as a share of the first copy.</summary>
    public double? LaterShare { get; init; }

    public override string ToString()
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"{Tool} {MemoryMib} MiB, {DirtyMibS} MiB/s, run {Run}: ");
        if (GapMs is not null)
        {
            text += string.Create(CultureInfo.InvariantCulture, $"gap {GapMs:0} ms, of 16 connections {Gap16Ms:0} ms, total {TotalMs:0} ms");
        }

        if (SentBytes is not null)
        {
            text += string.Create(CultureInfo.InvariantCulture, $", {SentBytes / 1048576.0:0.0} MiB sent");
        }

        return Ok ? text : $"{text} FAILED: {Reason}";
    }
}
