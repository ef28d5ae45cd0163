namespace ContainerMigrate.Migration;

/// <summary>Of a container that is stopped: nothing of its memory goes along.</summary>
internal sealed class NoMemory : ISourceMemory
{
    public bool IsLazy => false;

    public int Rounds => 0;

    public TimeSpan Stopped => TimeSpan.Zero;

    public double? PredictedPauseMs => null;

    public double LeftToCopyMs => 0;

    public long? LeftBehindBytes => null;

    public Task GoAheadAsync(double bytesPerSecond, CancellationToken late, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task GetReadyAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task GoFrozenAsync(Func<CancellationToken, Task> sendFiles, PhaseClock clock, CancellationToken cancellationToken) => sendFiles(cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
