namespace ContainerMigrate.Memory;

/// <summary>How far the memory is that a container left behind on its source, as the destination sees it.</summary>
public sealed record MemoryArrival
{
    /// <summary>What was left behind.</summary>
    public long TotalBytes { get; init; }

    /// <summary>What of it the source alone has.</summary>
    public long MissingBytes { get; init; }

    /// <summary>Pages that processes waited for, so far.</summary>
    public long Faults { get; init; }

    /// <summary>Milliseconds since fetching began; at the end, until it was complete.</summary>
    public double Milliseconds { get; init; }

    /// <summary>The container stands still until the source can be asked again, and why; null when it runs.</summary>
    public string? Paused { get; init; }

    /// <summary>Some of it is nowhere any more, and why: the container cannot go on. Null when that is not so.</summary>
    public string? Lost { get; init; }

    public bool IsComplete => MissingBytes == 0 && Lost is null;
}
