namespace ContainerMigrate.Volumes;

/// <summary>What is at a path.</summary>
public enum PlaceKind
{
    Missing,

    EmptyDirectory,

    /// <summary>A directory that has something in it.</summary>
    Directory,

    File,

    /// <summary>A socket, a device, a link, ...</summary>
    Other,
}
