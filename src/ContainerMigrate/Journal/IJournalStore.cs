using System.Text.Json.Nodes;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Journal;

/// <summary>All migrations that this host has taken part in, durable.</summary>
public interface IJournalStore
{
    /// <summary>Starts the journal of a new migration.</summary>
    /// <exception cref="InvalidOperationException">There is one with this id already.</exception>
    IMigrationJournal Create(string migrationId, MigrationRole role);

    /// <summary>Opens every migration that is not closed.</summary>
    /// <param name="damaged">Ids of journals that cannot be read, with the reason.</param>
    IReadOnlyList<IMigrationJournal> OpenUnfinished(out IReadOnlyList<(string Id, string Reason)> damaged);

    /// <summary>Every migration that can be read, oldest first.</summary>
    IEnumerable<IMigrationJournal> ReadAll();

    /// <summary>True when this migration was ever known here.</summary>
    bool Exists(string migrationId);

    /// <summary>Reads the last phase of a migration, closed or not; null when it was never known here.</summary>
    IMigrationJournal? Find(string migrationId);
}

/// <summary>The records of one migration on one host. A record is on disk when <see cref="Append"/> returns.</summary>
public interface IMigrationJournal
{
    string MigrationId { get; }

    MigrationRole Role { get; }

    MigrationPhase Phase { get; }

    int Epoch { get; }

    bool IsClosed { get; }

    IReadOnlyList<JournalRecord> Records { get; }

    /// <summary>A directory of this migration's own for images and logs.</summary>
    string Directory { get; }

    /// <summary>Records a step before its effect.</summary>
    /// <exception cref="InvalidOperationException">The step is not in <see cref="MigrationTransitions"/>.</exception>
    /// <exception cref="IOException">It could not be made durable; the effect must not happen.</exception>
    /// <param name="epoch">Begins a later life of the migration; null goes on with the current one.</param>
    void Append(MigrationPhase phase, JsonObject? data = null, int? epoch = null);

    /// <summary>The newest value that was recorded under a name of <see cref="JournalKeys"/>; null when there is none.</summary>
    JsonNode? Value(string key);

    /// <summary>Records that nothing is left to do; of a closed one only what is new, and nothing without <paramref name="data"/>.</summary>
    void Close(JsonObject? data = null);
}
