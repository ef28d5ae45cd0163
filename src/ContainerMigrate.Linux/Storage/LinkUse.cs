namespace ContainerMigrate.Linux.Storage;

/// <summary>Which of a file's names was met.</summary>
internal enum LinkUse
{
    /// <summary>The first, or the only one: the file itself is sent.</summary>
    First,

    Another,

    /// <summary>No further name is expected.</summary>
    Last,
}
