using System.Diagnostics;
using System.Globalization;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Linux.Processes;

namespace ContainerMigrate.Linux.Criu;

/// <summary>
/// A checkpoint that nobody wants any more, or whose daemon or runc has died: CRIU has to come to its end before the container may run on, since one that is
/// killed leaves its code in the tasks. One that hangs would keep the container frozen, so there is an end to this patience.
/// </summary>
internal static class AbandonedCheckpoint
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LastResort = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Waits until no runc and no CRIU writes into the migration's directory any more. Those that were stopped go on; those that hang are killed, runc first.</summary>
    /// <param name="directory">The migration's own.</param>
    /// <param name="patience">
    /// How long none of them may use a tick of processor time nor write a byte before runc is killed, without which CRIU gives up by itself, and cleanly; after
    /// twice that CRIU is killed too. 10 s unless said otherwise.
    /// </param>
    /// <exception cref="TimeoutException">One is there after minutes.</exception>
    public static async Task AwaitEndAsync(string directory, TimeSpan? patience = null)
    {
        var limit = patience ?? Patience;
        var clock = Stopwatch.StartNew();
        var (activity, since) = (-1L, TimeSpan.Zero);
        while (Find(directory) is { Count: > 0 } processes)
        {
            if (clock.Elapsed > LastResort)
            {
                throw new TimeoutException($"the dump (process {processes[0].Id}) does not end");
            }

            if (processes.Sum(p => p.Activity) is var now && now != activity)
            {
                (activity, since) = (now, clock.Elapsed);
            }

            var idle = clock.Elapsed - since;
            foreach (var process in processes)
            {
                if (process.IsStopped)
                {
                    Signal(process, directory, ProcessDescriptor.Continue);
                }
                else if (idle > (process.IsCriu ? 2 * limit : limit))
                {
                    Signal(process, directory, ProcessDescriptor.Kill);
                }
            }

            await Task.Delay(Interval);
        }
    }

    /// <summary>The result of a checkpoint, to whose end it comes also when nobody wants it any more.</summary>
    /// <param name="checkpoint">Is not ended by the token itself.</param>
    /// <param name="directory">As for <see cref="AwaitEndAsync"/>.</param>
    /// <param name="cancellationToken">It is not wanted any more.</param>
    public static async Task<ProcessResult> SeeToItsEndAsync(Task<ProcessResult> checkpoint, string directory, CancellationToken cancellationToken)
    {
        try
        {
            return await checkpoint.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested && !checkpoint.IsCompleted)
        {
            await AwaitEndAsync(directory);
            return await checkpoint;
        }
    }

    private static void Signal(CheckpointProcess process, string directory, int signal)
    {
        // Looked at once more, since the number may be another's by now.
        using var descriptor = ProcessDescriptor.Open(process.Id);
        if (descriptor is not null && Find(directory).Any(p => p.Id == process.Id))
        {
            descriptor.Signal(signal);
        }
    }

    private static List<CheckpointProcess> Find(string directory)
    {
        var work = FileIdentity.Read(Path.Combine(directory, "work"));
        List<CheckpointProcess> found = [];
        foreach (var path in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(path.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                && (IsCriu(path, work) || IsCheckpoint(Path.Combine(path, "cmdline"), directory)))
            {
                found.Add(CheckpointProcess.Read(id, IsCriu(path, work)));
            }
        }

        return found;
    }

    // CRIU goes on without the runc that has called it, until it has something to tell it. It works in the directory for its logs: that very one, since a
    // process in a container can have any name, and any path.
    private static bool IsCriu(string process, FileIdentity? work)
    {
        try
        {
            return work is not null && File.ReadAllText(Path.Combine(process, "comm")) == "criu\n" && FileIdentity.Read(Path.Combine(process, "cwd")) == work;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // it has ended
        }
    }

    private static bool IsCheckpoint(string commandLine, string directory)
    {
        try
        {
            var arguments = File.ReadAllText(commandLine).Split('\0');
            return arguments.Contains("checkpoint") && arguments.Any(a => a.StartsWith(directory + "/", StringComparison.Ordinal));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // it has ended
        }
    }

    /// <param name="Activity">Grows as long as it does anything: ticks of processor time and bytes written.</param>
    private sealed record CheckpointProcess(int Id, bool IsCriu, bool IsStopped, long Activity)
    {
        public static CheckpointProcess Read(int id, bool isCriu)
        {
            // proc_pid_stat(5): state, utime and stime.
            var fields = ProcText.ReadStatFields(id);
            var written = ProcText.FindField(ProcText.ReadOrEmpty($"/proc/{id}/io"), "wchar");
            return fields.Length > 12 && long.TryParse(fields[11], out var user) && long.TryParse(fields[12], out var system) && long.TryParse(written, out var bytes)
                ? new CheckpointProcess(id, isCriu, fields[0] == "T", user + system + bytes)
                : new CheckpointProcess(id, isCriu, IsStopped: false, Activity: 0); // it has ended
        }
    }
}
