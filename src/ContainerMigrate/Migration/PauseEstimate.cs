using ContainerMigrate.Containers;

namespace ContainerMigrate.Migration;

/// <summary>
/// Predicts the pause of a migration to one host: <see cref="DowntimeEstimate"/>, corrected by what earlier migrations on this pair of hosts
/// and with this runtime took.
/// </summary>
/// <param name="history">Oldest first.</param>
public sealed class PauseEstimate(IReadOnlyList<PauseSample> history)
{
    // What was left to copy so far was little, and went beside the dump: all of memory will not. Believing that it costs next to nothing would end
    // the rounds before the first.
    private static readonly (double, double)[] Bounds = [(0, PauseFit.MaxFactor), (0, PauseFit.MaxFactor), (0, PauseFit.MaxFactor), (0, PauseFit.MaxFactor), (1, 4)];

    /// <summary>How many earlier migrations of a mode the prediction rests on; 0: on constants.</summary>
    public int CountOf(string mode) => history.Count(s => s.Mode == mode);

    /// <summary>The pause when memory goes ahead, without what is left of it to copy.</summary>
    public PausePrediction PreCopy(ContainerManifest manifest)
    {
        var expected = DowntimeEstimate.PreCopy(manifest);
        var parts = PartsOf(PauseSample.Of(manifest, MigrationModes.PreCopy, 0, 0, new Dictionary<string, double>()));
        if (Fit(MigrationModes.PreCopy) is not { } factors)
        {
            return expected;
        }

        var (constant, learned) = (parts.Sum(), parts.Zip(factors, (part, factor) => part * factor).Sum());
        var ratio = learned / constant;
        return new PausePrediction(
            expected.FreezeMs * ratio, expected.DumpMs * ratio, 0, expected.FilesMs * ratio, expected.RestoreMs * ratio, expected.NetworkMs * ratio)
        {
            CopyFactor = factors[^1],
        };
    }

    /// <summary>The pause when all memory is copied meanwhile, in milliseconds.</summary>
    public double StopAndCopyMs(ContainerManifest manifest)
    {
        var parts = PartsOf(PauseSample.Of(manifest, MigrationModes.StopAndCopy, 0, 0, new Dictionary<string, double>()));
        return Math.Round(Fit(MigrationModes.StopAndCopy) is { } factors ? parts.Zip(factors, (part, factor) => part * factor).Sum() : parts.Sum());
    }

    private double[]? Fit(string mode)
    {
        var samples = history.Where(s => s.Mode == mode).ToList();
        return samples.Count == 0 ? null : PauseFit.Factors([.. samples.Select(PartsOf)], [.. samples.Select(s => s.PauseMs)], Bounds);
    }

    // What grows with one size each: only that can be told apart by looking at whole pauses.
    private static double[] PartsOf(PauseSample sample)
    {
        Func<PauseSample, double> predict = sample.Mode == MigrationModes.PreCopy
            ? s => DowntimeEstimate.PreCopy(ManifestOf(s)).TotalMs
            : s => DowntimeEstimate.StopAndCopyMs(s.MemoryBytes, s.LayerBytes, s.LayerEntries, s.Processes);
        var nothing = sample with { Processes = 0, MemoryBytes = 0, LayerBytes = 0, LayerEntries = 0 };
        var withProcesses = nothing with { Processes = sample.Processes };
        var withMemory = withProcesses with { MemoryBytes = sample.MemoryBytes };
        return [predict(nothing), predict(withProcesses) - predict(nothing), predict(withMemory) - predict(withProcesses), predict(sample) - predict(withMemory), sample.CopyMs];
    }

    private static ContainerManifest ManifestOf(PauseSample sample) => new()
    {
        Runtime = "", SourceId = "", Name = "", Settings = [],
        ProcessCount = sample.Processes, MemoryBytes = sample.MemoryBytes, WritableLayerBytes = sample.LayerBytes, WritableLayerEntries = sample.LayerEntries,
    };
}
