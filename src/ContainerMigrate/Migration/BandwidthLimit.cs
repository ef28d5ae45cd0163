namespace ContainerMigrate.Migration;

/// <summary>Shares a rate among all streams of a migration. Thread-safe.</summary>
/// <param name="bitsPerSecond">Null: no limit.</param>
public sealed class BandwidthLimit(long? bitsPerSecond, TimeProvider time)
{
    /// <summary>What may be sent at once after a silence.</summary>
    private static readonly TimeSpan Burst = TimeSpan.FromMilliseconds(100);

    // Timers are no finer than this; shorter waits add up and are waited for together.
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(2);

    private readonly Lock _lock = new();
    private readonly long _start = time.GetTimestamp();
    private TimeSpan _nextFree = -Burst;

    /// <summary>Returns when <paramref name="bytes"/> may follow what has been sent.</summary>
    public Task TakeAsync(int bytes, CancellationToken cancellationToken)
    {
        if (bitsPerSecond is not { } rate)
        {
            return Task.CompletedTask;
        }

        TimeSpan wait;
        lock (_lock)
        {
            var now = time.GetElapsedTime(_start);
            _nextFree = (_nextFree > now - Burst ? _nextFree : now - Burst) + TimeSpan.FromSeconds(bytes * 8.0 / rate);
            wait = _nextFree - now;
        }

        return wait > ShortestWait ? Task.Delay(wait, time, cancellationToken) : Task.CompletedTask;
    }
}
