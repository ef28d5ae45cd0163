using System.Collections.Concurrent;
using ContainerMigrate.Api;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>All migrations that this daemon has seen since its start, by id, in either role.</summary>
internal sealed class MigrationIndex(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, MigrationProgress> _migrations = new(StringComparer.Ordinal);

    public IReadOnlyList<MigrationStatus> All => [.. _migrations.Values.Select(p => p.Status).OrderBy(s => s.StartedAt)];

    public MigrationProgress Add(MigrationStatus status)
    {
        var progress = new MigrationProgress(status, time);
        return _migrations.TryAdd(status.Id, progress) ? progress : throw new InvalidOperationException($"there is a migration {status.Id} already");
    }

    /// <summary>By its id or an unambiguous beginning of it.</summary>
    public MigrationProgress? Find(string id)
    {
        if (_migrations.TryGetValue(id, out var exact))
        {
            return exact;
        }

        var matches = _migrations.Where(m => m.Key.StartsWith(id, StringComparison.Ordinal)).Take(2).ToList();
        return matches is [var one] ? one.Value : null;
    }

    /// <summary>Id of an unfinished migration of a container; null when there is none.</summary>
    public string? FindActive(string runtime, string container) =>
        _migrations.Values.Select(p => p.Status).FirstOrDefault(s => s.Runtime == runtime && s.Container == container && s.EndedAt is null)?.Id;
}
