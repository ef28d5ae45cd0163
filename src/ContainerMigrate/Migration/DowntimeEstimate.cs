namespace ContainerMigrate.Migration;

/// <summary>
/// Predicts the pause of a stop-and-copy migration from what moves while the container is frozen. The constants are medians
/// measured with <c>make bench</c> on a machine with two cores; a host's own earlier migrations correct them.
/// </summary>
public static class DowntimeEstimate
{
    private const double FixedMs = 550;
    private const double PerProcessMs = 4;
    private const double PerGibibyteMs = 2600;
    private const double PerFileMs = 0.15;

    /// <summary>Milliseconds between freeze and the first instruction on the destination.</summary>
    /// <param name="memoryBytes">Resident memory.</param>
    /// <param name="layerBytes">Content of the writable layer.</param>
    /// <param name="layerEntries">Files, directories and links of the writable layer.</param>
    /// <param name="processes">Processes in the container.</param>
    public static double StopAndCopyMs(long memoryBytes, long layerBytes, long layerEntries, int processes) =>
        Math.Round(FixedMs + PerProcessMs * processes + PerFileMs * layerEntries + PerGibibyteMs * (memoryBytes + layerBytes) / (1L << 30));
}
