namespace ContainerMigrate.Volumes;

/// <summary>What a file system does not take, as far as a trial shows it.</summary>
/// <param name="Lacks">Some of <see cref="FileFeatures"/>.</param>
/// <param name="MaxFileBytes">Length of the longest file; 0 when that is not known.</param>
public sealed record FileSystemLimits(IReadOnlyList<string> Lacks, long MaxFileBytes)
{
    /// <summary>Nothing is known.</summary>
    public static FileSystemLimits None { get; } = new([], 0);

    /// <summary>From here on no file is expected to be too long: ext4 takes 16 TiB with the blocks that it usually has.</summary>
    public const long UsualFileBytes = 8L << 40;

    /// <summary>Whether it takes less than the usual file systems of Linux do.</summary>
    public bool IsNarrow => Lacks.Count > 0 || MaxFileBytes is > 0 and < UsualFileBytes;
}
