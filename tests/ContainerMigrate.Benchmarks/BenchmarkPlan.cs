namespace ContainerMigrate.Benchmarks;

/// <summary>What is measured, in order.</summary>
/// <param name="Rows">Rows are measured one after the other; within a row the tools take turns, so that a busy moment of the machine hits all of them.</param>
/// <param name="TimeLimit">When it is over, only a row's first <see cref="PlannedTool.AtLeast"/> runs are still made; null: all are.</param>
internal sealed record BenchmarkPlan(IReadOnlyList<PlannedRow> Rows, TimeSpan? TimeLimit)
{
    private const string CtMigrate = "ctmigrate";
    private const string Docker = "docker";
    private const string Podman = "podman";
    private const string Runc = "runc";

    /// <summary>The 256 MiB rows, cut short where the machine is slow.</summary>
    public static BenchmarkPlan Quick(int runs) => new(
        [
            new PlannedRow(256, 0, [new PlannedTool(Docker, Docker, runs, AtLeast: 1), new PlannedTool(CtMigrate, Docker, runs, AtLeast: 2)]),
            new PlannedRow(256, 50, [new PlannedTool(CtMigrate, Docker, runs, AtLeast: 0)]),
        ],
        TimeSpan.FromSeconds(150));

    /// <summary>Everything. Tools that take seconds for each GiB move the large ones once.</summary>
    public static BenchmarkPlan Full(int runs) => new(
        [
            Ours(64, 0, runs),
            new PlannedRow(256, 0, [new PlannedTool(Docker, Docker, runs), new PlannedTool(Podman, Podman, runs), new PlannedTool(Runc, Runc, runs), .. Ours(256, 0, runs).Tools]),
            new PlannedRow(256, 50, [new PlannedTool(Docker, Docker, 1), .. Ours(256, 50, runs).Tools]),
            new PlannedRow(1024, 0, [new PlannedTool(Docker, Docker, 1), new PlannedTool(Podman, Podman, 1), new PlannedTool(Runc, Runc, runs), .. Ours(1024, 0, runs).Tools]),
            new PlannedRow(1024, 50, [new PlannedTool(Runc, Runc, 1), .. Ours(1024, 50, runs).Tools]),
            new PlannedRow(1024, 400, [new PlannedTool(CtMigrate, Docker, runs)]),
            Ours(4096, 0, runs),
        ],
        TimeLimit: null);

    private static PlannedRow Ours(int memoryMib, int dirtyMibPerSecond, int runs) =>
        new(memoryMib, dirtyMibPerSecond, [new PlannedTool(CtMigrate, Docker, runs), new PlannedTool(CtMigrate, Runc, runs)]);
}
