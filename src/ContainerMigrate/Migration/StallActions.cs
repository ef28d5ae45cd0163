namespace ContainerMigrate.Migration;

/// <summary>What to do when more rounds of pre-copy do not help, as <c>--on-stall</c> and the API name it.</summary>
public static class StallActions
{
    /// <summary>Freeze all the same, and take the longer pause.</summary>
    public const string Accept = "accept";

    /// <summary>Give up.</summary>
    public const string Abort = "abort";

    /// <summary>Slow the container down until they help; where even that does not, accept.</summary>
    public const string Throttle = "throttle";

    /// <summary>Go on as post-copy: what is left follows when the container runs on the destination.</summary>
    public const string PostCopy = "postcopy";

    /// <summary>All of them, the default first.</summary>
    public static IReadOnlyList<string> All { get; } = [Accept, Abort, Throttle, PostCopy];
}
