using ContainerMigrate.Containers;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Journal;

/// <summary>Journals as files <c>migrations/ID/journal</c>: one append-only file a migration.</summary>
public sealed class FileJournalStore : IJournalStore
{
    private readonly string _directory;
    private readonly TimeProvider _time;

    public FileJournalStore(string stateDirectory, TimeProvider time)
    {
        _directory = Path.Combine(stateDirectory, "migrations");
        _time = time;
        Directory.CreateDirectory(_directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <inheritdoc/>
    public IMigrationJournal Create(string migrationId, MigrationRole role)
    {
        var directory = PathOf(migrationId);
        if (Directory.Exists(directory))
        {
            throw new InvalidOperationException($"there is a migration {migrationId} already");
        }

        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return FileJournal.Create(migrationId, role, directory, _time);
    }

    /// <inheritdoc/>
    public IReadOnlyList<IMigrationJournal> OpenUnfinished(out IReadOnlyList<(string Id, string Reason)> damaged)
    {
        var open = new List<IMigrationJournal>();
        var bad = new List<(string, string)>();
        foreach (var id in Ids())
        {
            try
            {
                if (FileJournal.Open(id, PathOf(id), _time) is { IsClosed: false } journal)
                {
                    open.Add(journal);
                }
            }
            catch (Exception e) when (e is IOException or JournalDamagedException)
            {
                bad.Add((id, e.Message));
            }
        }

        damaged = bad;
        return open;
    }

    /// <inheritdoc/>
    public IEnumerable<IMigrationJournal> ReadAll()
    {
        foreach (var id in Ids())
        {
            FileJournal? journal;
            try
            {
                journal = FileJournal.Open(id, PathOf(id), _time);
            }
            catch (Exception e) when (e is IOException or JournalDamagedException)
            {
                continue; // OpenUnfinished reports it
            }

            if (journal is not null)
            {
                yield return journal;
            }
        }
    }

    /// <inheritdoc/>
    public bool Exists(string migrationId) => Directory.Exists(PathOf(migrationId));

    /// <inheritdoc/>
    public IMigrationJournal? Find(string migrationId) =>
        Exists(migrationId) ? FileJournal.Open(migrationId, PathOf(migrationId), _time) : null;

    private IEnumerable<string> Ids() =>
        Directory.EnumerateDirectories(_directory).Select(d => Path.GetFileName(d)).Where(ManifestValidator.IsName).Order(StringComparer.Ordinal);

    private string PathOf(string migrationId) =>
        ManifestValidator.IsName(migrationId) ? Path.Combine(_directory, migrationId) : throw new ArgumentException($"'{migrationId}' is not a migration id", nameof(migrationId));
}
