using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Journal;
using ContainerMigrate.Memory;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>What post-copy adds to an arrival: fetching, and standing still while nothing can be fetched, across restarts of the daemon.</summary>
internal sealed partial class PostCopyArrival(MigrationEnvironment environment, IMigrationJournal journal, string peer, MigrationProgress progress, ILogger logger) : IAsyncDisposable
{
    private static readonly TimeSpan RemovalInterval = TimeSpan.FromSeconds(5);

    private MemoryFetch? _fetch;
    private string? _cgroup;
    private string? _lost;
    private volatile bool _isKnown; // set after the others
    private readonly CancellationTokenSource _end = new();

    /// <summary>Null where no memory was left behind.</summary>
    public MemoryArrival? State
    {
        get
        {
            // In this order: what is not known yet counts as missing, and the source destroys its copy when nothing is.
            var isKnown = _isKnown;
            if (_fetch is { } fetch)
            {
                return fetch.State;
            }

            var lost = _lost;
            return journal.Value(JournalKeys.LeftBehindBytes)?.GetValue<long>() is { } bytes
                ? new MemoryArrival { TotalBytes = bytes, MissingBytes = isKnown && lost is null ? 0 : bytes, Lost = lost }
                : null;
        }
    }

    private bool StandsStill => journal.Value(JournalKeys.StandsStill)?.GetValue<bool>() is true;

    /// <summary>The store is sealed: whoever waits for a page gets it from now on.</summary>
    /// <param name="missing">Null: everything is here.</param>
    /// <returns>What the journal is to keep of it.</returns>
    public JsonObject? Serve(IMissingMemory? missing)
    {
        if (missing is null)
        {
            _isKnown = true;
            return null;
        }

        _fetch = Open(missing);
        _isKnown = true;
        _fetch.Start();
        return new JsonObject { [JournalKeys.LeftBehindBytes] = missing.TotalBytes };
    }

    /// <summary>All processes are rebuilt.</summary>
    public void Begin() => _fetch?.Begin();

    /// <summary>The container runs here.</summary>
    public async Task RunAsync(ITargetContainer container)
    {
        if (_fetch is { State.IsComplete: false } fetch)
        {
            FindCgroup(container);
            await fetch.StandAsRequiredAsync();
        }
    }

    /// <summary>After a restart of the daemon, before anything runs; does nothing in the life that has begun the restore.</summary>
    public async Task ResumeAsync(ITargetContainer? container, CancellationToken cancellationToken)
    {
        if (_isKnown)
        {
            return;
        }

        FindCgroup(container);
        var resumed = await environment.Arrivals.ResumeAsync(journal.Directory, cancellationToken);
        _lost = resumed.Lost;
        if (resumed.Missing is { } missing)
        {
            _fetch = Open(missing);
            _fetch.Start();
            _fetch.Begin();
        }

        _isKnown = true;
        // Whether the source answers now is not known yet: if it does not, the container will stand still again.
        await StandStillAsync(_lost is not null);
        if (State is { Lost: not null } lost)
        {
            Report(lost);
            _ = WaitForRemovalAsync(container, _end.Token);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await (_fetch?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    // What is lost is needed until somebody removes the container; that is for the operator to decide.
    private async Task WaitForRemovalAsync(ITargetContainer? container, CancellationToken cancellationToken)
    {
        while (container is not null && await GetStateAsync(container, cancellationToken) != TargetContainerState.Missing)
        {
            await Task.Delay(RemovalInterval, environment.Time, cancellationToken);
        }

        _lost = null;
    }

    private static async Task<TargetContainerState?> GetStateAsync(ITargetContainer container, CancellationToken cancellationToken)
    {
        try
        {
            return await container.GetStateAsync(cancellationToken);
        }
        catch (MigrationException)
        {
            return null; // the runtime does not answer just now
        }
    }

    private void FindCgroup(ITargetContainer? container)
    {
        try
        {
            _cgroup = container?.CgroupDirectory;
        }
        catch (MigrationException e)
        {
            LogNoCgroup(e.Failure.Cause); // it has ended, or cannot be made to stand still: processes that need a page wait for it all the same
        }
    }

    private MemoryFetch Open(IMissingMemory missing) =>
        new(missing, () => environment.Sources.Find(peer), journal.MigrationId, peer, StandStillAsync, Report, environment.Limits.RetryDelay, environment.Time, logger);

    // The journal first: after a restart it has to be known who froze it. One that somebody else has frozen stays so.
    private async Task StandStillAsync(bool stand)
    {
        if (_cgroup is null || journal.Phase != MigrationPhase.Committed || stand == StandsStill)
        {
            return;
        }

        if (!stand)
        {
            await environment.Freezer.ThawAsync(_cgroup, CancellationToken.None);
        }
        else if (environment.Freezer.IsFrozen(_cgroup))
        {
            return;
        }

        journal.Append(MigrationPhase.Committed, new JsonObject { [JournalKeys.StandsStill] = stand });
        if (stand)
        {
            environment.Freezer.Request(_cgroup);
        }
    }

    private void Report(MemoryArrival arrival) => progress.Update(s => s.EndedAt is null ? PostCopyStatus.With(s, arrival, peer) : s);

    [LoggerMessage(LogLevel.Warning, "the container cannot be made to stand still should its source not answer: {Cause}")]
    private partial void LogNoCgroup(string cause);
}
