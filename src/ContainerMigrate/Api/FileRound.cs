namespace ContainerMigrate.Api;

/// <summary>Files that were sent while the container ran: first all of them, then what had changed since.</summary>
public sealed record FileRound
{
    /// <summary>From 1 on.</summary>
    public required int Number { get; init; }

    /// <summary>Files, directories and links that there were.</summary>
    public long ScannedEntries { get; init; }

    /// <summary>New, changed and removed ones.</summary>
    public long Entries { get; init; }

    /// <summary>Content of them.</summary>
    public long SentBytes { get; init; }

    /// <summary>Of the look at them before.</summary>
    public double ScanMs { get; init; }

    public double DurationMs { get; init; }
}
