namespace ContainerMigrate.Linux.Runtimes.Oci;

/// <summary>How long the wrapper and CRIU's hook wait before they give up by themselves, whatever happens to the daemon.</summary>
/// <param name="Create">From the runtime's <c>create</c> to the images being there; at least the longest pause that is allowed.</param>
/// <param name="Start">From <c>start</c> to the end of the restore, the wait at the gate included.</param>
/// <param name="Gate">From the rebuilt tree to the decision.</param>
public sealed record RestoreTimeouts(TimeSpan Create, TimeSpan Start, TimeSpan Gate)
{
    public static RestoreTimeouts Default { get; } =
        new(TimeSpan.FromMinutes(15), TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(60));
}
