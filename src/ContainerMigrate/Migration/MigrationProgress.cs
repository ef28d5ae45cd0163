using ContainerMigrate.Api;

namespace ContainerMigrate.Migration;

/// <summary>The status of one migration as others see it, and a signal for each change. Thread-safe.</summary>
public sealed class MigrationProgress(MigrationStatus initial, TimeProvider time)
{
    private readonly Lock _lock = new();
    private MigrationStatus _status = initial;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _transferStart;

    public MigrationStatus Status
    {
        get
        {
            lock (_lock)
            {
                return _status;
            }
        }
    }

    /// <summary>Completes at the next change.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
            {
                return _changed.Task;
            }
        }
    }

    /// <summary>What an operator decides while the migration is in doubt.</summary>
    public OperatorDecision Decision { get; } = new();

    public void Update(Func<MigrationStatus, MigrationStatus> change)
    {
        TaskCompletionSource signal;
        lock (_lock)
        {
            _status = change(_status);
            signal = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        signal.SetResult();
    }

    /// <summary>Says in a few words what is being done; nothing is being sent any more.</summary>
    public void Say(string activity) => Update(s => s with { Activity = activity, TotalBytes = 0, SentBytes = 0, BytesPerSecond = 0 });

    /// <summary>Starts a transfer of about <paramref name="totalBytes"/> and returns where its byte count is reported.</summary>
    public IProgress<long> BeginTransfer(string activity, long totalBytes)
    {
        _transferStart = time.GetTimestamp();
        Update(s => s with { Activity = activity, TotalBytes = totalBytes, SentBytes = 0, BytesPerSecond = 0 });
        return new TransferProgress(this);
    }

    private void Report(long bytes)
    {
        var seconds = time.GetElapsedTime(_transferStart).TotalSeconds;
        Update(s => s with { SentBytes = bytes, TotalBytes = Math.Max(s.TotalBytes, bytes), BytesPerSecond = seconds > 0 ? bytes / seconds : 0 });
    }

    // Progress<T> posts to the thread pool and may report out of order.
    private sealed class TransferProgress(MigrationProgress owner) : IProgress<long>
    {
        public void Report(long value) => owner.Report(value);
    }
}
