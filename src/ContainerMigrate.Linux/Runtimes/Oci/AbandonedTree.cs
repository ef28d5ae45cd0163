using System.Diagnostics;
using System.Globalization;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Interop;

namespace ContainerMigrate.Linux.Runtimes.Oci;

/// <summary>
/// What is left of a restore that was given up. A CRIU that is killed leaves the processes that it had begun to build: they hold its socket to runc, which waits for an answer, and
/// with runc whoever has called it, dockerd with the container's lock held.
/// </summary>
internal static class AbandonedTree
{
    private const string CgroupMount = "/sys/fs/cgroup";
    private const string CgroupOption = "cgroup-root :/";

    private static readonly TimeSpan EndsByItselfWithin = TimeSpan.FromSeconds(2);

    /// <summary>Waits until the restore has ended; kills all of its cgroup when it does not, and then runc, which ends it. Nothing of it has ever run.</summary>
    /// <param name="restoreDirectory">Of a restore whose decision is to abort.</param>
    public static async Task EndAsync(string restoreDirectory, CancellationToken cancellationToken)
    {
        if (await HasEndedAsync(restoreDirectory, cancellationToken))
        {
            return;
        }

        KillCgroup(Path.Combine(restoreDirectory, "criu.conf"));
        Kill(RecordedProcess.Find(Path.Combine(restoreDirectory, "criu-pid"))); // it may have left that cgroup
        if (!await HasEndedAsync(restoreDirectory, cancellationToken))
        {
            KillRunc(Path.Combine(restoreDirectory, "supervisor-pid"));
        }
    }

    private static async Task<bool> HasEndedAsync(string restoreDirectory, CancellationToken cancellationToken)
    {
        for (var clock = Stopwatch.StartNew(); File.Exists(Path.Combine(restoreDirectory, "active")); await Task.Delay(50, cancellationToken))
        {
            if (clock.Elapsed > EndsByItselfWithin)
            {
                return false;
            }
        }

        return true;
    }

    // The wrapper's supervisor, which waits for it, does the rest.
    private static void KillRunc(string supervisorFile)
    {
        if (RecordedProcess.Find(supervisorFile) is { } supervisor)
        {
            foreach (var child in ProcText.ReadOrEmpty($"/proc/{supervisor}/task/{supervisor}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                Kill(int.Parse(child, CultureInfo.InvariantCulture));
            }
        }
    }

    private static void Kill(int? id)
    {
        if (id is { } known)
        {
            using var process = ProcessDescriptor.Open(known);
            process?.Signal(ProcessDescriptor.Kill);
        }
    }

    private static void KillCgroup(string criuConfig)
    {
        try
        {
            if (File.ReadLines(criuConfig).FirstOrDefault(l => l.StartsWith(CgroupOption, StringComparison.Ordinal))?[CgroupOption.Length..] is { Length: > 0 } path
                && Path.GetFullPath(Path.Combine(CgroupMount, path)) is var directory && directory.StartsWith(CgroupMount + "/", StringComparison.Ordinal))
            {
                File.WriteAllText(Path.Combine(directory, "cgroup.kill"), "1");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended just now, or had not got so far.
        }
    }
}
