using System.Diagnostics;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>Processes of one host of the lab, found by its cgroup: no other process of this machine is among them.</summary>
public static class HostProcesses
{
    /// <summary>Of those that are there, the ones whose program and command line are wanted. The program of a script is its interpreter's.</summary>
    public static IReadOnlyList<int> Find(LabHost host, Func<string, string, bool> wanted)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(wanted);
        var lab = Environment.GetEnvironmentVariable("CTM_LAB") ?? "ctm";
        var cgroup = $"/var/tmp/ctmigrate-lab/{lab}/cgroup2/ctmigrate-lab-{lab}/{host.Name}";
        return [.. Directory.EnumerateFiles(cgroup, "cgroup.procs", SearchOption.AllDirectories).SelectMany(ReadProcesses).Where(IsWanted)];

        bool IsWanted(int pid)
        {
            try
            {
                var program = Path.GetFileName(new FileInfo($"/proc/{pid}/exe").LinkTarget ?? "");
                return wanted(program, File.ReadAllText($"/proc/{pid}/cmdline").Replace('\0', ' '));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return false; // it has ended
            }
        }
    }

    /// <summary>SIGKILL, SIGSTOP, SIGCONT and so on.</summary>
    public static async Task SignalAsync(IEnumerable<int> processes, string signal)
    {
        ArgumentNullException.ThrowIfNull(processes);
        foreach (var pid in processes)
        {
            using var kill = Process.Start("kill", [$"-{signal}", $"{pid}"]);
            await kill.WaitForExitAsync();
        }
    }

    private static IEnumerable<int> ReadProcesses(string file)
    {
        try
        {
            return [.. File.ReadAllLines(file).Select(int.Parse)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return []; // the cgroup has gone
        }
    }
}
