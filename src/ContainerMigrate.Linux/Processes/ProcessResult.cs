namespace ContainerMigrate.Linux.Processes;

/// <summary>How a program ended.</summary>
/// <param name="ExitCode">Its exit code; 128 + the signal that killed it; 127 when it could not be started (the reason is in <paramref name="StandardError"/>).</param>
/// <param name="StandardOutput">UTF-8, the last <see cref="ProcessCommand.MaxOutputBytes"/> bytes.</param>
/// <param name="StandardError">UTF-8, the last <see cref="ProcessCommand.MaxOutputBytes"/> bytes.</param>
public sealed record ProcessResult(int ExitCode, string StandardOutput, string StandardError)
{
    public const int NotStarted = 127;

    /// <summary>True when <see cref="ProcessCommand.Timeout"/> ended it.</summary>
    public bool TimedOut { get; init; }

    /// <summary>True when the beginning of an output is missing.</summary>
    public bool OutputTruncated { get; init; }

    public TimeSpan Elapsed { get; init; }

    public bool Succeeded => ExitCode == 0 && !TimedOut;

    /// <summary>Why it failed, in one line: the last line it wrote to standard error, or its exit code.</summary>
    public string FailureReason
    {
        get
        {
            var last = LastLine(StandardError) ?? LastLine(StandardOutput) ?? $"exit code {ExitCode}";
            return TimedOut ? $"no end after {Elapsed.TotalSeconds:0.#} s ({last})" : last;
        }
    }

    private static string? LastLine(string text)
    {
        var line = text.AsSpan().Trim();
        return line.IsEmpty ? null : line[(line.LastIndexOf('\n') + 1)..].Trim().ToString();
    }
}
