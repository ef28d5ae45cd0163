using System.Globalization;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Cgroups;

namespace ContainerMigrate.Linux.Runtimes.Runc;

/// <summary>Finds processes outside a container that live in its network namespace: the fence and the move would take it from them.</summary>
internal static class NamespaceSharing
{
    public static IEnumerable<CheckFinding> FindStrangers(SourceContainer container)
    {
        var own = ProcessCgroup.ReadProcesses(container.CgroupDirectory).ToHashSet();
        var network = LinkOf(container.InitPid);
        if (network is null)
        {
            yield break;
        }

        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), CultureInfo.InvariantCulture, out var pid) && !own.Contains(pid) && LinkOf(pid) == network)
            {
                yield return new CheckFinding(CheckNames.Namespaces, CheckSeverity.Error, "", $"process {pid} outside the container uses the container's network namespace", "stop it first");
            }
        }
    }

    private static string? LinkOf(int pid)
    {
        try
        {
            return new FileInfo($"/proc/{pid}/ns/net").LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
