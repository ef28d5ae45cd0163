namespace ContainerMigrate.Migration;

/// <summary>A pause that is expected, in its parts, in milliseconds.</summary>
public sealed record PausePrediction(double FreezeMs, double DumpMs, double CopyMs, double FilesMs, double RestoreMs, double NetworkMs)
{
    /// <summary>What copying takes in the pause, as a multiple of what the rounds' rate says.</summary>
    public double CopyFactor { get; init; } = 1;

    public double TotalMs => FreezeMs + DumpMs + CopyMs + FilesMs + RestoreMs + NetworkMs;

    /// <inheritdoc/>
    public override string ToString() =>
        FormattableString.Invariant($"freeze {FreezeMs:0} dump {DumpMs:0} copy {CopyMs:0} files {FilesMs:0} restore {RestoreMs:0} network {NetworkMs:0}");
}
