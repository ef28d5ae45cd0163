namespace ContainerMigrate.Migration;

/// <summary>Names of the ways in which memory moves, as in the API and on the command line.</summary>
public static class MigrationModes
{
    /// <summary>The best that both hosts can do; never the mode of a migration under way.</summary>
    public const string Auto = "auto";

    public const string PreCopy = "precopy";

    /// <summary>Ahead once; what is written meanwhile follows when the container runs on the destination.</summary>
    public const string PostCopy = "postcopy";

    public const string StopAndCopy = "stop-and-copy";

    /// <summary>No memory at all: the container is stopped, and started afresh on the destination.</summary>
    public const string Offline = "offline";

    public static IReadOnlyList<string> All { get; } = [Auto, PreCopy, PostCopy, StopAndCopy, Offline];
}
