namespace ContainerMigrate.Api;

/// <summary>A mount of a container and what becomes of its files.</summary>
public sealed record MountReport
{
    /// <summary><c>volume</c>, <c>bind</c> or <c>tmpfs</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The volume's name, or the path on the source host.</summary>
    public string Source { get; init => field = value ?? ""; } = "";

    /// <summary>Path in the container.</summary>
    public required string Target { get; init; }

    public bool ReadOnly { get; init; }

    /// <summary><c>copy</c>, <c>replace</c>, <c>shared</c>, <c>empty</c>, <c>skip</c>, <c>same</c>; of tmpfs <c>memory</c>: it goes with the container's memory.</summary>
    public required string Action { get; init; }

    /// <summary>Of what goes along.</summary>
    public long Bytes { get; init; }

    public long Entries { get; init; }
}
