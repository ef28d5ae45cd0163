using System.Globalization;
using ContainerMigrate.Linux.Host;

namespace ContainerMigrate.Linux.Runtimes.Oci;

/// <summary>A process that a hook has noted in a file, as <c>PID START-TIME</c>: ids are used again, start times are not.</summary>
internal static class RecordedProcess
{
    private const int StartTime = 19; // of the fields behind the name, proc_pid_stat(5)

    /// <summary>Its id; null when it has ended, or was never noted.</summary>
    public static int? Find(string file) =>
        File.Exists(file) && File.ReadAllText(file).Split(' ', '\n') is [var id, var start, ..] && int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
        && ProcText.ReadStatFields(pid) is { Length: > StartTime } fields && fields[StartTime] == start && fields[0] is not ("Z" or "X") ? pid : null;
}
