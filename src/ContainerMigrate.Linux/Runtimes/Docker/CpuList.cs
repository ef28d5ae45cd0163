namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>The kernel's list format, <c>0-3,8</c> (cpuset(7)).</summary>
internal static class CpuList
{
    /// <summary>The highest number in the list; -1 when it is empty.</summary>
    public static int Highest(string list) =>
        list.Split([',', '-'], StringSplitOptions.RemoveEmptyEntries).Select(n => int.TryParse(n, out var number) ? number : -1).DefaultIfEmpty(-1).Max();
}
