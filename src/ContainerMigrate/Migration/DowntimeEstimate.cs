using ContainerMigrate.Containers;

namespace ContainerMigrate.Migration;

/// <summary>
/// Predicts the pause from what has to be done while the container is frozen. The constants are medians measured with <c>make bench</c>
/// on a machine with two cores.
/// </summary>
public static class DowntimeEstimate
{
    private const double FixedMs = 480;
    private const double PerProcessMs = 4;
    private const double PerGibibyteMs = 2600;

    // Files go ahead: what is left is to look at each of them, and what changes between the last round and the freeze.
    private const double FilesMs = 10;
    private const double PerEntryMs = 0.004;
    private const double ChangedShare = 0.01;

    private const double FreezeMs = 3;
    private const double MetadataDumpMs = 85;
    private const double PerProcessDumpMs = 12;
    private const double LazyRestoreMs = 112;
    private const double PerProcessRestoreMs = 6;

    // CRIU's images over the wire, the commit, and the tasks on their way again.
    private const double ActivateMs = 82;

    // The page tables are walked for CRIU and for us.
    private const double PerGibibyteDumpMs = 15;
    private const double PerGibibyteRestoreMs = 2;

    /// <summary>Milliseconds between freeze and the first instruction on the destination, when all memory is copied meanwhile.</summary>
    /// <param name="memoryBytes">Resident memory.</param>
    /// <param name="layerBytes">Content of the writable layer.</param>
    /// <param name="layerEntries">Files, directories and links of the writable layer.</param>
    /// <param name="processes">Processes in the container.</param>
    public static double StopAndCopyMs(long memoryBytes, long layerBytes, long layerEntries, int processes) =>
        Math.Round(FixedMs + PerProcessMs * processes + FilesLeftMs(layerBytes, layerEntries) + PerGibibyteMs * memoryBytes / (1L << 30));

    /// <summary>The pause when memory goes ahead, without what is left of it to copy.</summary>
    public static PausePrediction PreCopy(ContainerManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var files = FilesLeftMs(manifest.GetFileBytes(), manifest.GetFileEntries());
        var gibibytes = (double)manifest.MemoryBytes / (1L << 30);
        var dump = MetadataDumpMs + PerProcessDumpMs * manifest.ProcessCount + PerGibibyteDumpMs * gibibytes;
        // Files go beside the dump: only what takes longer counts.
        return new PausePrediction(FreezeMs, dump, 0, Math.Max(0, files - dump), LazyRestoreMs + PerProcessRestoreMs * manifest.ProcessCount + PerGibibyteRestoreMs * gibibytes, ActivateMs);
    }

    private static double FilesLeftMs(long bytes, long entries) => FilesMs + PerEntryMs * entries + ChangedShare * PerGibibyteMs * bytes / (1L << 30);
}
