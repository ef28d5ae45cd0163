using ContainerMigrate.Linux.Host;

namespace ContainerMigrate.Linux.Memory;

/// <summary>The addresses of a program's code, data and stack, from <c>/proc/PID/stat</c> (proc_pid_stat(5)).</summary>
internal static class ProcessLayout
{
    // Fields behind the command's name, counted from 0: startcode 23, endcode 24, startstack 25, start_data 42, end_data 43, start_brk 44, arg_start 45, env_start 47.
    private static readonly int[] Fields = [23, 24, 25, 42, 43, 44, 45, 47];

    /// <summary>Empty when the process is gone. Changes with exec, and not otherwise (but for prctl PR_SET_MM).</summary>
    internal static string Read(int processId)
    {
        var fields = ProcText.ReadStatFields(processId);
        return fields.Length > Fields[^1] ? string.Join(' ', Fields.Select(field => fields[field])) : "";
    }
}
