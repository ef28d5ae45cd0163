namespace ContainerMigrate.Api;

/// <summary>One look at a running container's memory, and the copying that followed.</summary>
public sealed record PreCopyRound
{
    /// <summary>From 1 on. The last one has sent nothing: what it found is left for the pause.</summary>
    public required int Number { get; init; }

    /// <summary>Found to be missing at the destination when the round began.</summary>
    public long DirtyBytes { get; init; }

    /// <summary>Without pages that hold zeros.</summary>
    public long SentBytes { get; init; }

    public double DurationMs { get; init; }

    public double BytesPerSecond { get; init; }

    /// <summary>How fast the container wrote to pages that it had not written since the scan before.</summary>
    public double DirtyBytesPerSecond { get; init; }

    /// <summary>Pause if the container were frozen at the end of it.</summary>
    public double PredictedPauseMs { get; init; }

    /// <summary>For how long processes were stopped since the migration's start, all together.</summary>
    public double StoppedMs { get; init; }

    /// <summary>What the container was allowed to use, in percent of one processor; null: it was not slowed down.</summary>
    public double? CpuPercent { get; init; }

    /// <summary>Why it went on, or why the rounds ended here.</summary>
    public string Verdict { get; init => field = value ?? ""; } = "";
}
