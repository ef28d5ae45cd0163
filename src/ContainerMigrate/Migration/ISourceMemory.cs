namespace ContainerMigrate.Migration;

/// <summary>
/// One way of getting a container's memory to the destination: some of it may go ahead, the rest goes while the container is frozen.
/// Disposing it, before the container thaws or is destroyed, ends whatever it does to the container.
/// </summary>
internal interface ISourceMemory : IAsyncDisposable
{
    /// <summary>Whether the destination restores from what went ahead, and not from complete images.</summary>
    bool IsLazy { get; }

    /// <summary>Rounds that went ahead.</summary>
    int Rounds { get; }

    /// <summary>For how long processes were stopped before the freeze, all together.</summary>
    TimeSpan Stopped { get; }

    /// <summary>The pause as it was predicted last; null when nothing was learned since the check.</summary>
    double? PredictedPauseMs { get; }

    /// <summary>What was left to copy when the prediction was made, at the rate of the last round, in milliseconds.</summary>
    double LeftToCopyMs { get; }

    /// <summary>Bytes that have stayed behind, for the destination to ask for; null when it has everything.</summary>
    long? LeftBehindBytes { get; }

    /// <summary>Sends what can be sent while the container runs.</summary>
    /// <param name="bytesPerSecond">What the connection carried when it was tried.</param>
    /// <param name="late">Set when the time for it has passed.</param>
    Task GoAheadAsync(double bytesPerSecond, CancellationToken late, CancellationToken cancellationToken);

    /// <summary>Readies what the frozen container would have to wait for otherwise; the freeze follows.</summary>
    Task GetReadyAsync(CancellationToken cancellationToken);

    /// <summary>Dumps the frozen container and sends all that the destination lacks of its memory, and CRIU's images.</summary>
    /// <param name="sendFiles">Sends what else has changed; goes beside the dump.</param>
    /// <param name="clock">Gets the parts of the time that it takes.</param>
    /// <exception cref="MigrationException">CRIU refused, or the destination did.</exception>
    Task GoFrozenAsync(Func<CancellationToken, Task> sendFiles, PhaseClock clock, CancellationToken cancellationToken);
}
