using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using ContainerMigrate.Linux.Cgroups;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>A container's directory in the unified cgroup hierarchy, and what can be read there.</summary>
/// <param name="Directory">Absolute path.</param>
internal sealed record ContainerCgroup(string Directory)
{
    /// <summary>Finds it by the container's init.</summary>
    /// <param name="id">Has to be a part of the path: a process that sits elsewhere belongs to somebody else.</param>
    /// <exception cref="MigrationException">The process is gone, or not in a cgroup of this container.</exception>
    public static ContainerCgroup Find(int pid, string id, string cgroupMount)
    {
        string path;
        try
        {
            path = File.ReadLines($"/proc/{pid}/cgroup").FirstOrDefault(l => l.StartsWith("0::", StringComparison.Ordinal))?[3..] ?? "";
        }
        catch (IOException e)
        {
            throw new MigrationException("check", $"the container's process {pid} is gone", innerException: e);
        }

        // /docker/ID, /system.slice/docker-ID.scope; an init that makes cgroups of its own sits deeper.
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var own = Array.FindIndex(parts, p => p.Contains(id, StringComparison.Ordinal));
        if (own < 0)
        {
            throw new MigrationException("check", $"the container's process {pid} is in cgroup '{path}', which is not the container's own",
                path.Length == 0 ? "Docker must use cgroup v2" : null);
        }

        var directory = Path.Combine([cgroupMount, .. parts.Take(own + 1)]);
        return File.Exists(Path.Combine(directory, "cgroup.freeze"))
            ? new ContainerCgroup(directory)
            : throw new MigrationException("check", $"{directory} is not a cgroup v2 directory");
    }

    /// <summary>All processes in it and below.</summary>
    public IReadOnlyList<int> ReadProcesses()
    {
        var processes = new List<int>();
        try
        {
            foreach (var file in System.IO.Directory.EnumerateFiles(Directory, "cgroup.procs", SearchOption.AllDirectories))
            {
                processes.AddRange(File.ReadLines(file).Select(l => int.TryParse(l, CultureInfo.InvariantCulture, out var pid) ? pid : 0).Where(p => p > 0));
            }
        }
        catch (IOException)
        {
            // It went away while it was read.
        }

        return processes;
    }

    /// <inheritdoc cref="ProcessCgroup.ReadMemoryBytes"/>
    public long ReadMemoryBytes(IReadOnlyList<int> processes) => ProcessCgroup.ReadMemoryBytes(Directory, processes);

    /// <summary>
    /// Kills all processes of a frozen container but its init, which the runtime then kills: runc thaws the cgroup right after it has
    /// signalled init, and nothing else is to run in that moment. Init stays because the shim hands a container whose init has ended to
    /// <c>runc delete</c>, which refuses a frozen cgroup: shim and cgroup would be left over.
    /// </summary>
    public void KillAllButInit(int initPid)
    {
        if (!IsFrozen())
        {
            return; // then they have been running all along
        }

        foreach (var pid in ReadProcesses().Where(p => p != initPid))
        {
            try
            {
                using var process = Process.GetProcessById(pid);
                process.Kill();
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException or Win32Exception)
            {
                // Gone already.
            }
        }
    }

    private bool IsFrozen()
    {
        try
        {
            return File.ReadLines(Path.Combine(Directory, "cgroup.events")).Contains("frozen 1");
        }
        catch (IOException)
        {
            return false;
        }
    }
}
