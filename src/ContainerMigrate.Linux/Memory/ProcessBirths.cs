using System.Globalization;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Linux.Processes;

namespace ContainerMigrate.Linux.Memory;

/// <summary>
/// Tells whether a process was born in a pid namespace, even one that has ended again: the kernel gives out numbers there one after the other
/// (kernel/pid.c, idr_alloc_cyclic), so a process of ours that starts there finds the next number unless there was another one, or a thread.
/// </summary>
internal sealed class ProcessBirths
{
    private const int NewPidNamespace = 0x20000000; // CLONE_NEWPID
    private int _last;

    /// <summary>Whether any was born since the last call; true when that is not known.</summary>
    /// <param name="members">Host pids of the processes that share a namespace.</param>
    internal async Task<bool> AnySinceLastAsync(IReadOnlyCollection<int> members)
    {
        var before = _last;
        var namespaces = members.Select(id => Link($"/proc/{id}/ns/pid")).Distinct().ToArray();

        // In this host's own namespace somebody is born all the time.
        _last = namespaces is [{ } only] && only != Link("/proc/self/ns/pid")
            ? await DedicatedThread.RunAsync("birth", () => TakeNumber(members.First()))
            : 0;
        return before == 0 || _last != before + 1;
    }

    private static string? Link(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static int TakeNumber(int member)
    {
        try
        {
            using (var target = File.OpenHandle($"/proc/{member}/ns/pid", FileMode.Open, FileAccess.Read, FileShare.ReadWrite))
            {
                // Children of this thread are born there from now on; it ends with this work.
                if (Libc.SetNamespace(target, NewPidNamespace) != 0)
                {
                    return 0;
                }
            }

            var child = ChildLauncher.Launch(new ProcessCommand("true"));
            child.Input.Dispose();
            child.Output.Dispose();
            child.Error.Dispose();

            // Ended or not, it keeps its numbers until it is reaped.
            var numbers = ProcText.FindField(ProcText.ReadOrEmpty($"/proc/{child.Pid}/status"), "NSpid")?.Split('\t') ?? [];
            _ = WaitForChild.End(child.Pid);
            WaitForChild.Reap(child.Pid);
            return numbers.Length > 0 ? int.Parse(numbers[^1], CultureInfo.InvariantCulture) : 0;
        }
        catch (Exception exception) when (exception is IOException or ProcessStartException or UnauthorizedAccessException)
        {
            return 0;
        }
    }
}
