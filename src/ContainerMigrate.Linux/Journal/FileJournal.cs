using System.Text.Json.Nodes;
using ContainerMigrate.Journal;
using ContainerMigrate.Linux.Files;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Journal;

/// <summary>One migration's journal file. Appends are made whole and durable, or not at all.</summary>
internal sealed class FileJournal : IMigrationJournal
{
    private const string FileName = "journal";
    private const int FirstEpoch = 1;

    private readonly Lock _lock = new();
    private readonly List<JournalRecord> _records;
    private readonly TimeProvider _time;
    private long _length;

    private FileJournal(string migrationId, string directory, MigrationRole role, List<JournalRecord> records, long length, TimeProvider time)
    {
        MigrationId = migrationId;
        Directory = directory;
        Role = role;
        _records = records;
        _length = length;
        _time = time;
    }

    public string MigrationId { get; }

    public MigrationRole Role { get; }

    public string Directory { get; }

    public MigrationPhase Phase => Records is [.., var last] ? last.Phase : MigrationPhase.New;

    public int Epoch => Records is [.., var last] ? last.Epoch : FirstEpoch;

    public bool IsClosed => Records is [.., { Data: { } data }] && data[JournalKeys.Closed]?.GetValue<bool>() is true;

    public IReadOnlyList<JournalRecord> Records
    {
        get
        {
            lock (_lock)
            {
                return [.. _records];
            }
        }
    }

    private string FilePath => Path.Combine(Directory, FileName);

    public static FileJournal Create(string migrationId, MigrationRole role, string directory, TimeProvider time)
    {
        var journal = new FileJournal(migrationId, directory, role, [], 0, time);
        using (File.Create(journal.FilePath))
        {
        }

        journal.Write(MigrationPhase.New, new JsonObject { [JournalKeys.Role] = role.ToString() });
        DurableFile.SyncDirectory(directory);
        DurableFile.SyncDirectory(Path.GetDirectoryName(directory)!);
        return journal;
    }

    /// <returns>Null when the migration's first record never got to the disk: nothing was done then.</returns>
    /// <exception cref="JournalDamagedException">A record is damaged.</exception>
    public static FileJournal? Open(string migrationId, string directory, TimeProvider time)
    {
        var path = Path.Combine(directory, FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        var content = File.ReadAllBytes(path);
        var records = JournalCodec.Decode(content, out var valid);
        if (records.Count == 0)
        {
            return null;
        }

        if (!Enum.TryParse<MigrationRole>(records[0].Data?[JournalKeys.Role]?.GetValue<string>(), out var role))
        {
            throw new JournalDamagedException(1, "it does not say which side this is");
        }

        return new FileJournal(migrationId, directory, role, [.. records], valid, time);
    }

    public void Append(MigrationPhase phase, JsonObject? data = null, int? epoch = null)
    {
        lock (_lock)
        {
            if (!MigrationTransitions.IsAllowed(Role, Phase, phase))
            {
                throw new InvalidOperationException($"{Role} migration {MigrationId}: no step leads from {Phase} to {phase}");
            }

            Write(phase, data, epoch);
        }
    }

    public JsonNode? Value(string key)
    {
        lock (_lock)
        {
            return _records.LastOrDefault(r => r.Data?.ContainsKey(key) is true)?.Data![key];
        }
    }

    public void Close(JsonObject? data = null)
    {
        lock (_lock)
        {
            if (!IsClosed || data is not null)
            {
                data ??= [];
                data[JournalKeys.Closed] = true;
                Write(Phase, data);
            }
        }
    }

    private void Write(MigrationPhase phase, JsonObject? data, int? epoch = null)
    {
        var record = new JournalRecord { Sequence = _records.Count + 1, Phase = phase, Epoch = epoch ?? Epoch, At = _time.GetUtcNow(), Data = data };
        var line = JournalCodec.Encode(record);
        using var file = File.OpenHandle(FilePath, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            // At the end of the last whole record: what a torn write left behind it is overwritten.
            RandomAccess.Write(file, line, _length);
            RandomAccess.SetLength(file, _length + line.Length);
            RandomAccess.FlushToDisk(file);
        }
        catch (IOException)
        {
            // Cut what may be half a record, so that the file says what we believe.
            RandomAccess.SetLength(file, _length);
            throw;
        }

        _length += line.Length;
        _records.Add(record);
    }
}
