using System.Globalization;

namespace ContainerMigrate.Linux.Host;

/// <summary>Capabilities of a process, as bits by their numbers in linux/capability.h.</summary>
internal static class Capabilities
{
    /// <summary>CAP_SYS_RESOURCE.</summary>
    internal const int Resource = 24;

    /// <param name="status">Text of <c>/proc/PID/status</c>.</param>
    /// <returns>The effective ones; null when it does not tell.</returns>
    internal static ulong? ParseEffective(string status) =>
        ulong.TryParse(ProcText.FindField(status, "CapEff"), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var effective) ? effective : null;

    internal static bool Has(ulong capabilities, int number) => (capabilities & (1UL << number)) != 0;
}
