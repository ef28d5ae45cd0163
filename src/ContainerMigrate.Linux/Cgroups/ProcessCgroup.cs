using System.Globalization;
using ContainerMigrate.Containers;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Cgroups;

/// <summary>A process's directory in the unified cgroup hierarchy (cgroups(7)), and what can be read there.</summary>
internal static class ProcessCgroup
{
    private const string Mount = "/sys/fs/cgroup";

    /// <exception cref="MigrationException">The process is gone, or is in no cgroup of its own.</exception>
    public static string DirectoryOf(int pid)
    {
        try
        {
            var path = File.ReadLines($"/proc/{pid}/cgroup").FirstOrDefault(l => l.StartsWith("0::", StringComparison.Ordinal))?[3..];
            var directory = path is null or "/" ? null : Mount + path;
            return directory is not null && File.Exists(Path.Combine(directory, "cgroup.freeze"))
                ? directory
                : throw new MigrationException("check", $"process {pid} is in no cgroup (v2) of its own, so it cannot be frozen", "set linux.cgroupsPath and use cgroup v2");
        }
        catch (IOException e)
        {
            throw new MigrationException("check", $"process {pid} is gone", innerException: e);
        }
    }

    /// <summary>All processes in a cgroup and below; empty when it is gone.</summary>
    public static IReadOnlyList<int> ReadProcesses(string directory)
    {
        var processes = new List<int>();
        AddProcesses(directory, processes);
        return processes;
    }

    /// <summary>
    /// Memory that a dump has to carry: the pages that each process has of its own, also those that forked processes still share (they are
    /// carried once for each), and shared memory; not the page cache.
    /// </summary>
    public static long ReadMemoryBytes(string directory, IReadOnlyList<int> processes)
    {
        var own = ReadOwnBytes(processes);

        // Without the memory controller what several processes share is counted for each, too.
        return own + (SumFields(Path.Combine(directory, "memory.stat"), ["shmem "], unit: 1) ?? processes.Sum(p => SumFields($"/proc/{p}/status", ["RssShmem:"], unit: 1024) ?? 0));
    }

    /// <summary>What the container's memory grows to when its processes share nothing copy-on-write; see cgroup-v2.rst for the files.</summary>
    public static MemoryDemand ReadMemoryDemand(string directory, IReadOnlyList<int> processes)
    {
        // Pages in the swap count for each process, and once for the cgroup, too.
        if (SumFields(Path.Combine(directory, "memory.stat"), ["anon "], unit: 1) is not { } anonymous
            || SumFields(Path.Combine(directory, "memory.stat"), ["shmem "], unit: 1) is not { } shared)
        {
            return MemoryDemand.None;
        }

        var swapped = ReadNumber(Path.Combine(directory, "memory.swap.current")) ?? 0;
        return new MemoryDemand(ReadLimit(directory), anonymous + swapped + shared, Math.Max(0, ReadOwnBytes(processes) - anonymous - swapped));
    }

    private static long ReadOwnBytes(IReadOnlyList<int> processes) => processes.Sum(p => SumFields($"/proc/{p}/status", ["RssAnon:", "VmSwap:"], unit: 1024) ?? 0);

    private static long? ReadLimit(string directory)
    {
        long? lowest = null;
        for (var current = directory; current is not null && File.Exists(Path.Combine(current, "memory.max")); current = Path.GetDirectoryName(current))
        {
            lowest = ReadNumber(Path.Combine(current, "memory.max")) is { } limit && !(limit > lowest) ? limit : lowest;
        }

        return lowest;
    }

    /// <summary>Null for <c>max</c> and for a file that is not there.</summary>
    private static long? ReadNumber(string file)
    {
        try
        {
            return long.TryParse(File.ReadAllText(file).AsSpan().Trim(), CultureInfo.InvariantCulture, out var value) ? value : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static void AddProcesses(string directory, List<int> processes)
    {
        try
        {
            processes.AddRange(File.ReadLines(Path.Combine(directory, "cgroup.procs")).Select(l => int.TryParse(l, CultureInfo.InvariantCulture, out var pid) ? pid : 0).Where(p => p > 0));
        }
        catch (IOException)
        {
            // It went away, or is a threaded cgroup, whose processes are listed further up. Neither concerns its siblings.
        }

        try
        {
            foreach (var child in Directory.GetDirectories(directory))
            {
                AddProcesses(child, processes);
            }
        }
        catch (IOException)
        {
            // It went away.
        }
    }

    /// <summary>Null when there is no such file, or nobody any more whose it was.</summary>
    private static long? SumFields(string file, string[] fields, int unit)
    {
        try
        {
            return File.ReadLines(file)
                .Where(l => fields.Any(f => l.StartsWith(f, StringComparison.Ordinal)))
                .Sum(l => long.TryParse(l.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture, out var value) ? value * unit : 0);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
