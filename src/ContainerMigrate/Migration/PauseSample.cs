using ContainerMigrate.Containers;

namespace ContainerMigrate.Migration;

/// <summary>What one migration's pause was, and what it had to be predicted from.</summary>
public sealed record PauseSample
{
    private const long MaxBytes = 1L << 50;
    private const int MaxEntries = 1 << 30;
    private const double MaxMs = 3_600_000;
    private const int MaxParts = 64;
    private const int MaxPartName = 64;

    /// <summary>A name of <see cref="MigrationModes"/>.</summary>
    public required string Mode { get; init; }

    public int Processes { get; init; }

    public long MemoryBytes { get; init; }

    public long LayerBytes { get; init; }

    public long LayerEntries { get; init; }

    /// <summary>What was dirty at the end, at the rate of the last round.</summary>
    public double CopyMs { get; init; }

    /// <summary>As it was measured.</summary>
    public double PauseMs { get; init; }

    /// <summary>The same in its parts, for people who read the file.</summary>
    public IReadOnlyDictionary<string, double> Parts { get; init => field = value ?? new Dictionary<string, double>(); } = new Dictionary<string, double>();

    /// <summary>False for what no migration can have been.</summary>
    public bool IsValid =>
        MigrationModes.All.Contains(Mode) && Processes is >= 0 and <= MaxEntries && MemoryBytes is >= 0 and <= MaxBytes && LayerBytes is >= 0 and <= MaxBytes
        && LayerEntries is >= 0 and <= MaxEntries && CopyMs is >= 0 and <= MaxMs && PauseMs is > 0 and <= MaxMs
        && Parts.Count <= MaxParts && Parts.All(p => p.Key.Length <= MaxPartName && double.IsFinite(p.Value));

    public static PauseSample Of(ContainerManifest manifest, string mode, double copyMs, double pauseMs, IReadOnlyDictionary<string, double> parts)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return new PauseSample
        {
            Mode = mode, Processes = manifest.ProcessCount, MemoryBytes = manifest.MemoryBytes, LayerBytes = manifest.GetFileBytes(), LayerEntries = manifest.GetFileEntries(),
            CopyMs = Math.Round(copyMs, 1), PauseMs = pauseMs, Parts = parts,
        };
    }
}
