using ContainerMigrate.Memory;
using ContainerMigrate.Protocol;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>
/// Post-copy on the destination: brings the memory that a container has left behind. Two requests at a time: one for pages that processes
/// wait for, one for the rest in order. Asks for as long as it takes; while the source cannot be asked, the container stands still.
/// </summary>
/// <param name="missing">Owned.</param>
/// <param name="source">Finds the source; it may be paired anew meanwhile.</param>
/// <param name="standStill">Stops the container, or lets it go on; does nothing before it runs.</param>
/// <param name="report">Told of each change.</param>
/// <param name="retryDelay">Longest time between two attempts.</param>
internal sealed partial class MemoryFetch(
    IMissingMemory missing, Func<ISourcePeer?> source, string migrationId, string peer, Func<bool, Task> standStill, Action<MemoryArrival> report, TimeSpan retryDelay, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    // What is asked for after a fault: the page and its neighbours.
    private const int PagesAroundFault = 16;
    private const int MaxFaults = 64;

    // 4 MiB: long enough for the wire, short enough for two of them to share it.
    private const int PagesAtOnce = 1024;

    // A daemon that is started anew is back within that time; processes that need a page wait for it anyway.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ReportInterval = TimeSpan.FromMilliseconds(200);

    private readonly CancellationTokenSource _end = new();
    private readonly SemaphoreSlim _standing = new(1, 1);
    private readonly long _start = time.GetTimestamp();
    private Task _faultLane = Task.CompletedTask;
    private Task _restLane = Task.CompletedTask;
    private long _lastAnswer = time.GetTimestamp();
    private long _lastReport;
    private long _faults;
    private double? _completeMs;
    private string? _paused;
    private string? _lost;

    public MemoryArrival State => new()
    {
        TotalBytes = missing.TotalBytes,
        MissingBytes = _completeMs is null ? missing.MissingBytes : 0,
        Faults = Interlocked.Read(ref _faults),
        Milliseconds = Math.Round(_completeMs ?? time.GetElapsedTime(_start).TotalMilliseconds, 1),
        Paused = _paused,
        Lost = _completeMs is null ? _lost : null,
    };

    /// <summary>Answers faults from now on.</summary>
    public void Start() => _faultLane = Task.Run(AnswerFaultsAsync);

    /// <summary>Brings the rest too: all processes are rebuilt.</summary>
    public void Begin()
    {
        Interlocked.Exchange(ref _lastAnswer, time.GetTimestamp());
        _restLane = Task.Run(BringTheRestAsync);
    }

    /// <summary>The container runs: now there is something to stop.</summary>
    public async Task StandAsRequiredAsync()
    {
        await _standing.WaitAsync();
        try
        {
            if (_paused is not null)
            {
                await standStill(true);
            }
        }
        finally
        {
            _standing.Release();
        }
    }

    /// <summary>Asks no more; what has arrived stays.</summary>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await Task.WhenAll(_faultLane, _restLane).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        missing.Dispose();
    }

    private async Task AnswerFaultsAsync()
    {
        while (true)
        {
            var wanted = await missing.WaitForFaultsAsync(PagesAroundFault, MaxFaults, _end.Token);
            Interlocked.Add(ref _faults, wanted.Count);
            await FetchAsync(wanted, urgent: true);
        }
    }

    private async Task BringTheRestAsync()
    {
        using (var needed = CancellationTokenSource.CreateLinkedTokenSource(_end.Token))
        {
            var rest = BringTheRestAsync(needed.Token);
            await Task.WhenAny(rest, missing.NotNeeded);
            await needed.CancelAsync();
            try
            {
                await rest;
            }
            catch (OperationCanceledException) when (!_end.IsCancellationRequested)
            {
                LogNotNeeded(missing.MissingBytes >> 20);
            }
        }

        _completeMs = time.GetElapsedTime(_start).TotalMilliseconds;
        await GoOnAsync();
        LogComplete(missing.TotalBytes >> 20, Interlocked.Read(ref _faults), Math.Round(_completeMs.Value));
        report(State);
    }

    private async Task BringTheRestAsync(CancellationToken cancellationToken)
    {
        while (missing.FindRest(PagesAtOnce, PageStreamFormat.MaxRuns) is { Count: > 0 } next)
        {
            await FetchAsync(next, urgent: false, cancellationToken);
        }
    }

    private Task FetchAsync(IReadOnlyList<PageRequest> requests, bool urgent) => FetchAsync(requests, urgent, _end.Token);

    private async Task FetchAsync(IReadOnlyList<PageRequest> requests, bool urgent, CancellationToken cancellationToken)
    {
        for (var wait = retryDelay / 8; ; wait = wait < retryDelay ? wait * 2 : retryDelay)
        {
            var sink = new RequestedPages(requests, missing, Arrived);
            try
            {
                var peerNow = source() ?? throw new PeerUnreachableException(peer, "it is not paired any more; pair it again");
                await peerNow.FetchAsync(migrationId, requests, urgent, sink, cancellationToken);
                if (sink.DroppedPages > 0)
                {
                    await LoseAsync($"{peer} does not have it any more: its copy was killed, or that host was started anew", cancellationToken);
                }

                if (sink.IsComplete)
                {
                    await GoOnAsync();
                    return;
                }

                throw new InvalidDataException("it has left out pages that it was asked for");
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested && (sink.Failure is not null || e is PeerUnreachableException or MigrationException or InvalidDataException or IOException))
            {
                await FailAsync(sink.Failure is { } own ? $"what arrives cannot be kept: {own.Message}"
                    : e is PeerUnreachableException ? $"link to {peer} lost: {e.Message}"
                    : $"{peer}: {(e as MigrationException)?.Failure.Cause ?? e.Message}");
            }

            await Task.Delay(wait, time, cancellationToken);
        }
    }

    private void Arrived()
    {
        var now = time.GetTimestamp();
        Interlocked.Exchange(ref _lastAnswer, now);
        if (time.GetElapsedTime(Interlocked.Read(ref _lastReport), now) >= ReportInterval)
        {
            Interlocked.Exchange(ref _lastReport, now);
            report(State);
        }
    }

    private async Task FailAsync(string reason)
    {
        if (time.GetElapsedTime(Interlocked.Read(ref _lastAnswer)) < Patience)
        {
            LogFailed(reason);
            return;
        }

        await _standing.WaitAsync();
        try
        {
            var isNew = _paused is null;
            _paused = reason;
            if (isNew)
            {
                LogPaused(reason, missing.MissingBytes >> 20);
                await standStill(true);
            }
        }
        finally
        {
            _standing.Release();
        }

        report(State);
    }

    private async Task GoOnAsync()
    {
        Interlocked.Exchange(ref _lastAnswer, time.GetTimestamp());
        if (_paused is null)
        {
            return;
        }

        await _standing.WaitAsync();
        try
        {
            if (_paused is not null)
            {
                await standStill(false);
                _paused = null;
                LogGoesOn(peer);
            }
        }
        finally
        {
            _standing.Release();
        }

        report(State);
    }

    // Nothing can bring it back: all that is left is that its processes are ended.
    private async Task LoseAsync(string reason, CancellationToken cancellationToken)
    {
        await _standing.WaitAsync(cancellationToken);
        try
        {
            if (_lost is null)
            {
                LogLost(reason, missing.MissingBytes >> 20);
                _lost = _paused = reason;
                await standStill(true);
            }
        }
        finally
        {
            _standing.Release();
        }

        report(State);
        await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
    }

    [LoggerMessage(LogLevel.Debug, "asking again: {Reason}")]
    private partial void LogFailed(string reason);

    [LoggerMessage(LogLevel.Warning, "post-copy paused, the container stands still ({Mebibytes} MiB are missing): {Reason}")]
    private partial void LogPaused(string reason, long mebibytes);

    [LoggerMessage(LogLevel.Information, "{Peer} answers again: the container goes on")]
    private partial void LogGoesOn(string peer);

    [LoggerMessage(LogLevel.Critical, "{Mebibytes} MiB of the container's memory are lost: {Reason}")]
    private partial void LogLost(string reason, long mebibytes);

    [LoggerMessage(LogLevel.Information, "its processes have ended, {Mebibytes} MiB of their memory are not needed")]
    private partial void LogNotNeeded(long mebibytes);

    [LoggerMessage(LogLevel.Information, "all of {Mebibytes} MiB that had stayed behind have arrived, {Faults} times somebody waited, in {Milliseconds} ms")]
    private partial void LogComplete(long mebibytes, long faults, double milliseconds);
}
