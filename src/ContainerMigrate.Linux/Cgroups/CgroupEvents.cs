namespace ContainerMigrate.Linux.Cgroups;

/// <summary>Reads a cgroup's <c>cgroup.events</c> (Documentation/admin-guide/cgroup-v2.rst).</summary>
internal static class CgroupEvents
{
    internal static bool IsFrozen(string text) =>
        text.Split('\n', StringSplitOptions.TrimEntries).Contains("frozen 1", StringComparer.Ordinal);
}
