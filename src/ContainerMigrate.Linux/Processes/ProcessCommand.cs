using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Processes;

/// <summary>A program to run and what it is given. No shell is involved.</summary>
/// <param name="Program">A path, or a name looked up in this process's PATH.</param>
/// <param name="Arguments">Without the program's own name.</param>
public sealed record ProcessCommand(string Program, params IReadOnlyList<string> Arguments)
{
    /// <summary>Variables set on top of this process's environment; a null value takes one away.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>();

    /// <summary>Null: this process's own.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>Written to the program's standard input, which is then closed. Null: it finds the end at once.</summary>
    public string? StandardInput { get; init; }

    /// <summary>After this long the program is stopped as by a cancellation, and the result says so. Null: no limit.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Time between SIGTERM and SIGKILL when the program is stopped.</summary>
    public TimeSpan StopGrace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>After the program's end: how long a process that it left behind, and that still has its outputs, is listened to.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Of each of the two outputs the last so many bytes are kept. Default 64 KiB.</summary>
    public int MaxOutputBytes { get; init; } = 64 * 1024;

    /// <summary>Runs the program inside this network namespace. Null: this process's own.</summary>
    public string? NetworkNamespacePath { get; init; }

    /// <summary>Files that the program sees in the place of others, in a mount namespace of its own that goes with it. Empty: this process's mounts.</summary>
    public IReadOnlyList<Overmount> Overmounts { get; init; } = [];

    /// <summary>Open descriptors handed over, by the number (3 and up) that the program finds them at. The caller keeps and closes its own.</summary>
    public IReadOnlyDictionary<int, SafeHandle> Descriptors { get; init; } = new Dictionary<int, SafeHandle>();

    /// <summary>The command line, for messages.</summary>
    public override string ToString() => Arguments.Count == 0 ? Program : $"{Program} {string.Join(' ', Arguments)}";
}
