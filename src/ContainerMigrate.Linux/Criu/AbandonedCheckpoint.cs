using System.Globalization;
using ContainerMigrate.Linux.Interop;

namespace ContainerMigrate.Linux.Criu;

/// <summary>A checkpoint whose daemon or whose runc has died: CRIU has to come to its end before the container may run on.</summary>
internal static class AbandonedCheckpoint
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LastResort = TimeSpan.FromMinutes(5);

    /// <summary>Waits until no runc and no CRIU writes into the migration's directory any more.</summary>
    /// <exception cref="TimeoutException">One does after minutes.</exception>
    public static async Task AwaitEndAsync(string directory)
    {
        for (var waited = TimeSpan.Zero; Find(directory) is { } pid; waited += Interval)
        {
            if (waited > LastResort)
            {
                throw new TimeoutException($"the dump (process {pid}) does not end");
            }

            await Task.Delay(Interval);
        }
    }

    private static int? Find(string directory)
    {
        var work = FileIdentity.Read(Path.Combine(directory, "work"));
        foreach (var path in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(path.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && (IsCheckpoint(Path.Combine(path, "cmdline"), directory) || IsCriu(path, work)))
            {
                return pid;
            }
        }

        return null;
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
}
