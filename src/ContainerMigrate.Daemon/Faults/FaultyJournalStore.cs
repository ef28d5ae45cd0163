using ContainerMigrate.Journal;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Daemon.Faults;

/// <summary>A store of journals with points around their records.</summary>
internal sealed class FaultyJournalStore(IJournalStore inner, FaultPoints points) : IJournalStore
{
    public IMigrationJournal Create(string migrationId, MigrationRole role)
    {
        var point = FaultPoints.Record(role, nameof(MigrationPhase.New));
        points.Pass(point, before: true, FaultyJournal.Failure);
        var journal = inner.Create(migrationId, role);
        points.Pass(point, before: false, FaultyJournal.Failure);
        return Wrap(journal);
    }

    public IReadOnlyList<IMigrationJournal> OpenUnfinished(out IReadOnlyList<(string Id, string Reason)> damaged) => [.. inner.OpenUnfinished(out damaged).Select(Wrap)];

    public IEnumerable<IMigrationJournal> ReadAll() => inner.ReadAll().Select(Wrap);

    public bool Exists(string migrationId) => inner.Exists(migrationId);

    public IMigrationJournal? Find(string migrationId) => inner.Find(migrationId) is { } journal ? Wrap(journal) : null;

    private FaultyJournal Wrap(IMigrationJournal journal) => new(journal, points);
}
