using System.Text.Json.Serialization;

namespace ContainerMigrate.Benchmarks.Clients;

/// <summary>What gapclient.py prints at its end.</summary>
internal sealed record ClientReport
{
    [JsonIgnore]
    public string Name { get; init; } = "";

    /// <summary>kept, reset, closed or silent: the worst of all connections.</summary>
    public required string Connection { get; init; }

    public required int Connections { get; init; }

    public required int ConnectionsKept { get; init; }

    public required int Replies { get; init; }

    public required int LostReplies { get; init; }

    public required int WrongReplies { get; init; }

    /// <summary>Longest time between two replies of one connection, in milliseconds.</summary>
    public required double GapMs { get; init; }

    /// <summary>When it began, in seconds since 1970.</summary>
    public required double GapAt { get; init; }

    /// <summary>Each reply: when its line was sent, in seconds since 1970, and the milliseconds it took.</summary>
    public IReadOnlyList<double[]> Latencies { get; init; } = [];

    /// <summary>What was wrong with the service; null when it was complete.</summary>
    [JsonIgnore]
    public string? Fault => this switch
    {
        { Connection: not "kept" } => $"{Name}: {Connections - ConnectionsKept} of {Connections} connections {Connection}",
        { LostReplies: > 0 } => $"{Name}: {LostReplies} replies lost",
        { WrongReplies: > 0 } => $"{Name}: {WrongReplies} replies doubled or out of order",
        { Replies: 0 } => $"{Name}: no reply at all",
        _ => null,
    };
}
