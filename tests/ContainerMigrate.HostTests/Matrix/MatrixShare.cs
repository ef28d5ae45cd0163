namespace ContainerMigrate.HostTests.Matrix;

/// <summary>
/// Which cells a run takes. CTM_MATRIX=all: every one; any other text: those whose name, "moment x fault", holds it; nothing: the short
/// form, which is each kill at each moment at which there is something to be killed.
/// </summary>
public static class MatrixShare
{
    private static readonly string Wanted = Environment.GetEnvironmentVariable("CTM_MATRIX") ?? "";

    public static bool IsWhole { get; } = Wanted == "all";

    /// <summary>The faults of one row.</summary>
    public static IReadOnlyList<Fault> Of(Moment moment) =>
    [
        .. Fault.All.Where(f => IsWhole || (Wanted.Length > 0 ? $"{moment.Name} x {f.Name}".Contains(Wanted, StringComparison.Ordinal) : f.IsKill)),
    ];
}
