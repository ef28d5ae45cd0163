using System.Globalization;

namespace ContainerMigrate.Linux.Criu;

/// <summary>A checkpoint that a daemon started before it died: CRIU has to come to its end before the container may run on.</summary>
internal static class AbandonedCheckpoint
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LastResort = TimeSpan.FromMinutes(5);

    /// <summary>Waits until no runc writes into the migration's directory any more.</summary>
    /// <exception cref="TimeoutException">One does after minutes.</exception>
    public static async Task AwaitEndAsync(string directory)
    {
        for (var waited = TimeSpan.Zero; Find(directory) is { } pid; waited += Interval)
        {
            if (waited > LastResort)
            {
                throw new TimeoutException($"runc checkpoint (process {pid}) of a daemon that died does not end");
            }

            await Task.Delay(Interval);
        }
    }

    private static int? Find(string directory)
    {
        foreach (var path in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(path.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && IsCheckpoint(Path.Combine(path, "cmdline"), directory))
            {
                return pid;
            }
        }

        return null;
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
