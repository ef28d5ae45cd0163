namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>
/// Asks the hooks to leave a restored container frozen: CRIU's hook freezes its cgroup while CRIU still holds every task, and the
/// runtime wrapper answers the first <c>pause</c> with success, since runc refuses to pause what is frozen.
/// </summary>
internal static class RestoredPause
{
    private const string FileName = "paused";

    /// <summary>True from <see cref="Request"/> until the wrapper has answered the pause.</summary>
    public static bool IsPending(string restoreDirectory) => File.Exists(Path.Combine(restoreDirectory, FileName));

    public static void Request(string restoreDirectory) => File.WriteAllBytes(Path.Combine(restoreDirectory, FileName), []);
}
