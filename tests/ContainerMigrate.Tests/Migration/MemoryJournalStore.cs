using System.Text.Json.Nodes;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Tests.Migration;

internal sealed class MemoryJournalStore(DaemonLife life, Machine machine) : IJournalStore
{
    public IMigrationJournal Create(string migrationId, MigrationRole role)
    {
        if (Exists(migrationId))
        {
            throw new InvalidOperationException($"there is a migration {migrationId} already");
        }

        var directory = System.IO.Directory.CreateDirectory(Path.Combine(machine.Directory, migrationId)).FullName;
        var file = machine.Journals[migrationId] = new JournalFile(migrationId, role, directory);
        var journal = new MemoryJournal(life, file);
        journal.Write(MigrationPhase.New, new JsonObject { [JournalKeys.Role] = role.ToString() });
        return journal;
    }

    public IReadOnlyList<IMigrationJournal> OpenUnfinished(out IReadOnlyList<(string Id, string Reason)> damaged)
    {
        damaged = [];
        return [.. ReadAll().Where(j => !j.IsClosed)];
    }

    public IEnumerable<IMigrationJournal> ReadAll() => machine.Journals.Values.Select(f => new MemoryJournal(life, f));

    public bool Exists(string migrationId) => machine.Journals.ContainsKey(migrationId);

    public IMigrationJournal? Find(string migrationId) => machine.Journals.TryGetValue(migrationId, out var file) ? new MemoryJournal(life, file) : null;
}
