using System.Globalization;

namespace ContainerMigrate.Linux.Host;

/// <summary>Reads the text files of /proc and /sys.</summary>
internal static class ProcText
{
    /// <summary>Empty when there is no such file, or no permission to read it.</summary>
    internal static string ReadOrEmpty(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <summary>The value of a line <c>Name:  value</c>; null when there is none.</summary>
    internal static string? FindField(string text, string name)
    {
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            if (line.StartsWith(name, StringComparison.Ordinal) && line[name.Length..].TrimStart() is [':', .. var value])
            {
                return value.Trim().ToString();
            }
        }

        return null;
    }

    /// <summary>
    /// The fields of <c>/proc/PID/stat</c> (proc_pid_stat(5)) behind the command's name, which may hold anything: the first is its third. Empty when the process is gone.
    /// </summary>
    internal static string[] ReadStatFields(int processId)
    {
        var text = ReadOrEmpty($"/proc/{processId}/stat");
        return text[(text.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>The value of a line <c>Name:  1234 kB</c> in bytes.</summary>
    internal static long? ParseKilobytes(string text, string name) =>
        FindField(text, name) is { } value && long.TryParse(value.AsSpan(0, Math.Max(0, value.IndexOf(' ', StringComparison.Ordinal))), NumberStyles.None, CultureInfo.InvariantCulture, out var kilobytes)
            ? kilobytes * 1024
            : null;

    /// <summary>The value of a line <c>Name:  1234</c>; 0 when there is none.</summary>
    internal static int ParseNumber(string text, string name) => int.TryParse(FindField(text, name), out var number) ? number : 0;
}
