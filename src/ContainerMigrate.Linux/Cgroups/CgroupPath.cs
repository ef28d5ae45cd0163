namespace ContainerMigrate.Linux.Cgroups;

/// <summary>Where cgroups are.</summary>
internal static class CgroupPath
{
    private const string Root = "/sys/fs/cgroup/";

    /// <summary>The path comes from what a runtime says; a write anywhere else must not come of it.</summary>
    internal static string Check(string cgroupDirectory)
    {
        var full = Path.GetFullPath(cgroupDirectory);
        return full.StartsWith(Root, StringComparison.Ordinal) && full.Length > Root.Length
            ? full
            : throw new ArgumentException($"{cgroupDirectory} is not a cgroup beneath {Root}", nameof(cgroupDirectory));
    }
}
