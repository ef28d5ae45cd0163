namespace ContainerMigrate.Linux.Criu;

/// <summary>Finds in a CRIU log what an operator has to know.</summary>
public static class CriuLog
{
    private const long MaxBytes = 4 << 20;

    // Lines CRIU prints as errors on every run of a host without CAP_SYS_RESOURCE, or as consequences of the first one.
    private static readonly string[] Harmless =
    [
        "RLIMIT_NOFILE for self",
        "Can't unfreeze",
        "Dumping FAILED",
        "Restoring FAILED",
        "killed by signal",
        "Can't restore link",
        "Unable to kill",
        "Running network-unlock scripts",
        "run_scripts",
        // To runc, which has ended: one of its hooks failed, and runc says which.
        "Can't send response",
        "Failed to wait for inprogress",
        "Unknown SO_",
        // Our own hook ended the restore; why is told by what ended it.
        "exited, status=",
        "action scripts failed",
        "ctmigrate-criu-hook",
        "cgroupd: recv req",
    ];

    /// <summary>The first error that is not a mere consequence, without CRIU's time stamp and source place; null when the log has no such line or is absent.</summary>
    public static string? RootCause(string logPath)
    {
        try
        {
            using var stream = File.OpenRead(logPath);
            if (stream.Length > MaxBytes)
            {
                stream.Seek(-MaxBytes, SeekOrigin.End);
            }

            using var reader = new StreamReader(stream);
            while (reader.ReadLine() is { } line)
            {
                // "(00.012345)   1234: Error (criu/sk-inet.c:123): message"
                var at = line.IndexOf("Error (", StringComparison.Ordinal);
                if (at < 0)
                {
                    continue;
                }

                var message = line.IndexOf("): ", at, StringComparison.Ordinal) is var end and > 0 ? line[(end + 3)..].Trim() : line[at..];
                if (!Harmless.Any(h => line.Contains(h, StringComparison.Ordinal)))
                {
                    return message;
                }
            }

            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
