using System.Globalization;

namespace ContainerMigrate.Linux.Host;

/// <summary>How large a pipe may be. CRIU puts the pages that a lazy dump leaves out into pipes, and dies late of small ones.</summary>
internal static class PipeLimit
{
    /// <summary>What CRIU asks for (page-pipe.c).</summary>
    internal const long NeededBytes = 4 << 20;

    /// <summary>What keeps CRIU from a lazy dump here; null for nothing.</summary>
    /// <param name="limit">Text of <c>/proc/sys/fs/pipe-max-size</c>.</param>
    /// <param name="status">Text of <c>/proc/self/status</c>.</param>
    internal static string? FindProblem(string limit, string status) =>
        long.TryParse(limit.AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) && bytes < NeededBytes && !MayExceed(status)
            ? $"fs.pipe-max-size is {bytes}, and CRIU needs {NeededBytes} to leave memory out of a dump"
            : null;

    private static bool MayExceed(string status) => Capabilities.ParseEffective(status) is { } effective && Capabilities.Has(effective, Capabilities.Resource);
}
