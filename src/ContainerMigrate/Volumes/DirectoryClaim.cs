namespace ContainerMigrate.Volumes;

/// <summary>A directory that a migration fills on its destination. Goes into the journal before anything is made, and again once it is.</summary>
public sealed record DirectoryClaim
{
    public required string Path { get; init; }

    /// <summary>The topmost directory that had to be made; empty when the directory was there.</summary>
    public string FirstMade { get; init => field = value ?? ""; } = "";

    /// <summary>The directory's inode and time of birth; 0 as long as it is not made.</summary>
    public ulong Inode { get; init; }

    /// <inheritdoc cref="Inode"/>
    public long BornNanoseconds { get; init; }

    /// <summary>Of a directory that was there, empty: what it gets back.</summary>
    public uint Mode { get; init; }

    /// <inheritdoc cref="Mode"/>
    public uint User { get; init; }

    /// <inheritdoc cref="Mode"/>
    public uint Group { get; init; }

    /// <summary>Where what was there has been put; empty when nothing was.</summary>
    public string Aside { get; init => field = value ?? ""; } = "";
}
