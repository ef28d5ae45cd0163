namespace ContainerMigrate.Linux.Runtimes.Oci;

/// <summary>
/// Asks the hooks to leave a restored container frozen, since it was paused on its source: CRIU's hook freezes its cgroup while CRIU
/// still holds every task, and the runtime wrapper answers the first <c>pause</c> with success (runc refuses to pause what is frozen).
/// </summary>
internal static class RestoredPause
{
    private const string FileName = "paused";

    /// <summary>After <see cref="RestoreGate.Prepare"/>, before the runtime's start.</summary>
    public static void Request(string restoreDirectory) => File.WriteAllBytes(Path.Combine(restoreDirectory, FileName), []);

    /// <summary>True from <see cref="Request"/> until the wrapper has answered the pause.</summary>
    public static bool IsPending(string restoreDirectory) => File.Exists(Path.Combine(restoreDirectory, FileName));
}
