namespace ContainerMigrate.Volumes;

/// <summary>A directory that a migration fills on its destination, or a single file that it brings. Goes into the journal before anything is made, and again once it is.</summary>
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

    /// <summary>
    /// Of a single file: a directory beside it, of the migration's own. It holds a further name of the empty file that is made at the path, so that this one is known, and the directory
    /// in which the file arrives (<see cref="Arrival"/>). Empty for a directory.
    /// </summary>
    public string Stage { get; init => field = value ?? ""; } = "";

    /// <summary>Of a single file that has arrived, before it gets its place: as <see cref="Inode"/>.</summary>
    public ulong ArrivedInode { get; init; }

    /// <inheritdoc cref="ArrivedInode"/>
    public long ArrivedBornNanoseconds { get; init; }

    /// <summary>What is to be removed later is a file.</summary>
    public bool IsFile { get; init; }

    /// <summary>Where files arrive that go into this place.</summary>
    public string Arrival => Stage.Length > 0 ? System.IO.Path.Combine(Stage, "arrived") : Path;

    /// <summary>Where what was there has been put; empty when nothing was.</summary>
    public string Aside { get; init => field = value ?? ""; } = "";
}
