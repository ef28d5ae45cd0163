using System.Text.Json.Nodes;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Tests.Migration;

/// <summary>A journal that is encoded as on disk, so that what a restarted daemon reads went through the codec. Appends are steps of the daemon's life.</summary>
internal sealed class MemoryJournal : IMigrationJournal
{
    private readonly DaemonLife _life;
    private readonly JournalFile _file;
    private readonly List<JournalRecord> _records;

    public MemoryJournal(DaemonLife life, JournalFile file)
    {
        _life = life;
        _file = file;
        _records = [.. JournalCodec.Decode(file.Content.ToArray(), out _)];
    }

    public string MigrationId => _file.Id;

    public MigrationRole Role => _file.Role;

    public MigrationPhase Phase => Records is [.., var last] ? last.Phase : MigrationPhase.New;

    public int Epoch => Records is [.., var last] ? last.Epoch : 1;

    public bool IsClosed => Records is [.., { Data: { } data }] && data[JournalKeys.Closed]?.GetValue<bool>() is true;

    public IReadOnlyList<JournalRecord> Records
    {
        get
        {
            lock (_records)
            {
                return [.. _records];
            }
        }
    }

    public string Directory => _file.Directory;

    public void Append(MigrationPhase phase, JsonObject? data = null, int? epoch = null)
    {
        if (!MigrationTransitions.IsAllowed(Role, Phase, phase))
        {
            throw new InvalidOperationException($"{Role}: no step leads from {Phase} to {phase}");
        }

        _life.Step($"record {phase}", () => Write(phase, data, epoch));
    }

    public JsonNode? Value(string key) => Records.LastOrDefault(r => r.Data?.ContainsKey(key) is true)?.Data![key];

    public void Close(JsonObject? data = null)
    {
        if (!IsClosed || data is not null)
        {
            data ??= [];
            data[JournalKeys.Closed] = true;
            _life.Step("close", () => Write(Phase, data));
        }
    }

    public void Write(MigrationPhase phase, JsonObject? data, int? epoch = null)
    {
        lock (_records)
        {
            var record = new JournalRecord { Sequence = _records.Count + 1, Phase = phase, Epoch = epoch ?? Epoch, At = _life.Time.GetUtcNow(), Data = data };
            _file.Content.AddRange(JournalCodec.Encode(record));
            _records.Add(record);
        }
    }
}

/// <summary>What stays of a journal when the daemon ends.</summary>
internal sealed class JournalFile(string id, MigrationRole role, string directory)
{
    public string Id => id;

    public MigrationRole Role => role;

    public string Directory => directory;

    public List<byte> Content { get; } = [];
}
