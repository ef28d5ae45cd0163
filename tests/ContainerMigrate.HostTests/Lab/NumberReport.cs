using System.Text.Json;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>What the clients of the number server have seen; see gapclient.py.</summary>
/// <param name="Connection">kept, reset, closed or silent: the worst of all connections.</param>
/// <param name="GapMs">Longest time between two replies of one connection.</param>
/// <param name="Servers">Who answered, as "PID HOSTNAME".</param>
public sealed record NumberReport(string Connection, int Connections, int ConnectionsKept, int Replies, int LostReplies, int WrongReplies, double GapMs, IReadOnlyList<string> Servers)
{
    public static JsonSerializerOptions Json { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Whether <see cref="ShouldBeComplete"/> holds.</summary>
    public bool IsComplete => Connection == "kept" && ConnectionsKept == Connections && LostReplies == 0 && WrongReplies == 0 && Replies > 0 && Servers.Count == 1;

    /// <summary>All connections stand, every reply came, once and in order, and all from one and the same process.</summary>
    public void ShouldBeComplete()
    {
        Connection.ShouldBe("kept", ToString());
        ConnectionsKept.ShouldBe(Connections);
        LostReplies.ShouldBe(0);
        WrongReplies.ShouldBe(0);
        Replies.ShouldBeGreaterThan(0);
        Servers.Count.ShouldBe(1, ToString());
    }

    public override string ToString() =>
        $"{Connection} ({ConnectionsKept} of {Connections}), {Replies} replies, {LostReplies} lost, {WrongReplies} doubled or out of order, longest gap {GapMs} ms, answered by {string.Join(", ", Servers)}";
}
