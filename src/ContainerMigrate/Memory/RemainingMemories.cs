using System.Collections.Concurrent;

namespace ContainerMigrate.Memory;

/// <summary>Memory of all containers that this host has handed over and still keeps, by migration. Thread-safe.</summary>
public sealed class RemainingMemories : IDisposable
{
    private readonly ConcurrentDictionary<string, RemainingMemory> _all = new(StringComparer.Ordinal);

    /// <summary>What a peer may ask for; null when that is nothing.</summary>
    public RemainingMemory? Find(string migrationId, string peer) =>
        _all.TryGetValue(migrationId, out var memory) && memory.Peer == peer ? memory : null;

    /// <summary>Lets it be asked for; owns it from now on.</summary>
    public void Add(string migrationId, RemainingMemory memory)
    {
        Remove(migrationId);
        _all[migrationId] = memory;
    }

    /// <summary>Lets nobody ask any more. Idempotent.</summary>
    public void Remove(string migrationId)
    {
        if (_all.TryRemove(migrationId, out var memory))
        {
            memory.Dispose();
        }
    }

    public void Dispose()
    {
        foreach (var id in _all.Keys)
        {
            Remove(id);
        }
    }
}
