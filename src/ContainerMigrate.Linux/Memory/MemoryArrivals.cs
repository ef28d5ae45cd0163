using System.Collections.Concurrent;
using ContainerMigrate.Linux.Memory.LazyPages;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Linux.Systemd;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Linux.Memory;

/// <summary>Keeps arriving memory in a <see cref="PageStore"/> and serves lazy restores from it.</summary>
/// <param name="program">Path of ctmigrated, which is also the server.</param>
/// <param name="scopes">Where servers go, which outlive the daemon; null: they stay in its service.</param>
public sealed partial class MemoryArrivals(IProcessRunner processes, string program, ILogger<MemoryArrivals> logger, IServiceScopes? scopes = null) : IMemoryArrivals, IDisposable
{
    private readonly ConcurrentDictionary<string, ArrivingMemory> _open = new(StringComparer.Ordinal);

    // By store: what is being filled in, and what came to nothing.
    private readonly ConcurrentDictionary<string, LazyRestore> _filling = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _lost = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public IArrivingMemory Open(string migrationDirectory, long expectedBytes, long maxBytes) =>
        _open.GetOrAdd(migrationDirectory, directory => new ArrivingMemory(() => new PageStore(StoreIn(directory), expectedBytes, maxBytes), WorkIn(directory), (store, work, token) => LazyRestore.StartAsync(processes, program, store, work, logger, token, Adopt(directory)), Watch));

    /// <inheritdoc/>
    public async Task RemoveAsync(string migrationDirectory)
    {
        if (_open.TryRemove(migrationDirectory, out var memory))
        {
            await memory.GiveUpAsync();
        }

        PageStore.Delete(StoreIn(migrationDirectory));
    }

    /// <inheritdoc/>
    public bool IsFillingIn(string containerId) => Filling(containerId).Any(r => !r.Completion.IsCompleted);

    /// <inheritdoc/>
    public string? FindLoss(string containerId) => _lost.GetValueOrDefault(containerId);

    /// <inheritdoc/>
    public async Task WaitUntilFilledAsync(string containerId, CancellationToken cancellationToken)
    {
        foreach (var restore in Filling(containerId))
        {
            await restore.Completion.ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(cancellationToken);
        }

        if (FindLoss(containerId) is { } reason)
        {
            throw new MigrationException("memory", $"memory that the container brought from its last move is lost: {reason}", "start the container afresh");
        }
    }

    private IEnumerable<LazyRestore> Filling(string containerId) => _filling.Where(f => MemoryOwner.Read(f.Key) == containerId).Select(f => f.Value);

    /// <inheritdoc/>
    public async Task<ResumedMemory> ResumeAsync(string migrationDirectory, CancellationToken cancellationToken)
    {
        var store = StoreIn(migrationDirectory);
        if (!Directory.Exists(store))
        {
            return new ResumedMemory(null, null);
        }

        if (await LazyRestore.ResumeAsync(processes, program, store, WorkIn(migrationDirectory), logger, cancellationToken, Adopt(migrationDirectory)) is { } restore)
        {
            // Before it is watched: what is filled in goes away.
            var missing = MissingMemory.Open(store, restore);
            Watch(store, restore);
            return new ResumedMemory(missing, null);
        }

        string? lost = null;
        if (!LazyPagesProcess.HasLoaded(WorkIn(migrationDirectory)))
        {
            LogLost(store);
            Lose(store, lost = "its server ended together with the daemon");
        }

        PageStore.Delete(store);
        return new ResumedMemory(null, lost);
    }

    /// <summary>Lets go of everything; servers go on by themselves.</summary>
    public void Dispose()
    {
        foreach (var memory in _open.Values)
        {
            memory.LetGo();
        }

        // Those of an earlier daemon: nobody else here has them.
        foreach (var (_, restore) in _filling.Where(f => !_open.ContainsKey(Path.GetDirectoryName(f.Key)!)))
        {
            restore.Dispose();
        }
    }

    private static string StoreIn(string migrationDirectory) => Path.Combine(migrationDirectory, "memory");

    private static string WorkIn(string migrationDirectory) => Path.Combine(migrationDirectory, "work");

    // Named by the pid as well: of a server that has died the scope may be there a while longer.
    private Func<int, Task>? Adopt(string migrationDirectory)
    {
        var id = Path.GetFileName(migrationDirectory);
        return scopes is null ? null : pid => scopes.AdoptAsync($"ctmigrate-{id}-{pid}", $"Memory that arrives with migration {id}", pid);
    }

    private void Watch(string store, LazyRestore restore)
    {
        _filling[store] = restore;
        _ = restore.Completion.ContinueWith(
            completion =>
            {
                if (completion.IsCompletedSuccessfully && completion.Result)
                {
                    LogLoaded(store);
                }
                else if (completion.IsFaulted)
                {
                    var reason = completion.Exception!.InnerException!.Message;
                    LogStuck(store, reason);
                    Lose(store, reason);
                }

                _open.TryRemove(Path.GetDirectoryName(store)!, out _);
                _filling.TryRemove(store, out _);
            },
            TaskScheduler.Default);
    }

    private void Lose(string store, string reason)
    {
        if (MemoryOwner.Read(store) is { } container)
        {
            _lost[container] = reason;
        }
    }

    [LoggerMessage(LogLevel.Critical, "the server of {Store} ended together with the daemon, before all memory was in place: the container may have read zeros, and should be started afresh")]
    private partial void LogLost(string store);

    [LoggerMessage(LogLevel.Information, "all memory of {Store} is in place")]
    private partial void LogLoaded(string store);

    [LoggerMessage(LogLevel.Error, "memory of {Store} cannot be served any more: {Reason}")]
    private partial void LogStuck(string store, string reason);
}
