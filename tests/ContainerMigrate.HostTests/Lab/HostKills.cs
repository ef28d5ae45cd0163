using System.Diagnostics;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>
/// The processes of one host of the lab, and of no other: they share its UTS namespace, as its containers do not. Others may have the same programs running on
/// this machine.
/// </summary>
public sealed class HostKills
{
    private readonly string _uts;

    private HostKills(string uts) => _uts = uts;

    /// <param name="host">Its daemon runs.</param>
    public static async Task<HostKills> OfAsync(LabHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        using var daemon = await host.DaemonProcessAsync();
        return new HostKills(Namespace(daemon.Id) ?? throw new InvalidOperationException($"{host.Name}: its daemon has just ended"));
    }

    /// <summary>Kills (SIGKILL) the first process whose command line matches, as soon as there is one.</summary>
    /// <param name="isMeant">Gets the name of the program and its arguments.</param>
    /// <param name="beside">Whose end ends the search.</param>
    /// <param name="within">How long to look.</param>
    /// <returns>Its command line; null when there was none.</returns>
    public async Task<string?> KillFirstAsync(Func<string, string, bool> isMeant, LabProcess beside, TimeSpan within)
    {
        ArgumentNullException.ThrowIfNull(isMeant);
        ArgumentNullException.ThrowIfNull(beside);
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < within && !beside.HasExited; await Task.Delay(3))
        {
            foreach (var directory in Directory.EnumerateDirectories("/proc").Where(d => char.IsAsciiDigit(d["/proc/".Length])))
            {
                var pid = int.Parse(directory["/proc/".Length..]);
                if (Read(directory + "/comm") is { } name && Read(directory + "/cmdline") is { Length: > 0 } arguments
                    && isMeant(name.TrimEnd(), arguments.Replace('\0', ' ')) && Namespace(pid) == _uts)
                {
                    return Kill(pid) ? $"{name.TrimEnd()} ({arguments.Replace('\0', ' ').Trim()})" : null;
                }
            }
        }

        return null;
    }

    private static bool Kill(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            process.Kill();
            return true;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return false; // it has ended just now
        }
    }

    private static string? Namespace(int pid)
    {
        try
        {
            return new FileInfo($"/proc/{pid}/ns/uts").LinkTarget;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static string? Read(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (IOException)
        {
            return null; // it has ended
        }
    }
}
