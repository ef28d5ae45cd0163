using ContainerMigrate.Checks;

namespace ContainerMigrate.Linux.Runtimes.Runc;

/// <summary>
/// Finds standard descriptors of a container's init whose other end is a program of this host: without a runtime that keeps the other
/// end on the destination, nobody would read there.
/// </summary>
internal static class StandardStreams
{
    private static readonly string[] Names = ["standard input", "standard output", "standard error"];

    public static IEnumerable<CheckFinding> FindPipes(int initPid)
    {
        for (var descriptor = 0; descriptor < Names.Length; descriptor++)
        {
            if (LinkOf($"/proc/{initPid}/fd/{descriptor}") is { } target
                && (target.StartsWith("pipe:", StringComparison.Ordinal) || target.StartsWith("socket:", StringComparison.Ordinal)))
            {
                yield return new CheckFinding(CheckNames.Stdio, CheckSeverity.Error, "", $"its {Names[descriptor]} leads to a program of this host, which stays here",
                    "start the container with </dev/null >/dev/null 2>&1, or let it write to a file of its own");
            }
        }
    }

    private static string? LinkOf(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
