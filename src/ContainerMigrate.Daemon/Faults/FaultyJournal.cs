using System.Text.Json.Nodes;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Daemon.Faults;

/// <summary>A journal with a point before and after each of its records.</summary>
internal sealed class FaultyJournal(IMigrationJournal inner, FaultPoints points) : IMigrationJournal
{
    /// <summary>Name of the last record of all.</summary>
    public const string Closed = "Closed";

    public string MigrationId => inner.MigrationId;

    public MigrationRole Role => inner.Role;

    public MigrationPhase Phase => inner.Phase;

    public int Epoch => inner.Epoch;

    public bool IsClosed => inner.IsClosed;

    public IReadOnlyList<JournalRecord> Records => inner.Records;

    public string Directory => inner.Directory;

    public static Exception Failure(string point) => new IOException($"fault point {point}");

    public void Append(MigrationPhase phase, JsonObject? data = null, int? epoch = null) => Around(phase.ToString(), () => inner.Append(phase, data, epoch));

    public JsonNode? Value(string key) => inner.Value(key);

    public void Close(JsonObject? data = null) => Around(Closed, () => inner.Close(data));

    private void Around(string record, Action append)
    {
        var point = FaultPoints.Record(Role, record);
        points.Pass(point, before: true, Failure);
        append();
        points.Pass(point, before: false, Failure);
    }
}
