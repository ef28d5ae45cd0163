namespace ContainerMigrate.Benchmarks;

/// <summary>What is measured, in order.</summary>
/// <param name="Rows">Rows are measured one after the other; within a row the tools take turns, so that a busy moment of the machine hits all of them.</param>
/// <param name="TimeLimit">When it is over, only a row's first <see cref="PlannedTool.AtLeast"/> runs are still made; null: all are.</param>
internal sealed record BenchmarkPlan(IReadOnlyList<PlannedRow> Rows, TimeSpan? TimeLimit)
{
    private const string CtMigrate = "ctmigrate";
    private const string Docker = "docker";

    /// <summary>The 256 MiB rows, cut short where the machine is slow.</summary>
    public static BenchmarkPlan Quick(int runs) => new(
        [
            new PlannedRow(256, 0, [new PlannedTool(Docker, runs, AtLeast: 1), new PlannedTool(CtMigrate, runs, AtLeast: 2)]),
            new PlannedRow(256, 50, [new PlannedTool(CtMigrate, runs, AtLeast: 0)]),
        ],
        TimeSpan.FromSeconds(150));

    /// <summary>Everything.</summary>
    public static BenchmarkPlan Full(int runs) => new(
        [
            new PlannedRow(64, 0, [new PlannedTool(CtMigrate, runs)]),
            new PlannedRow(64, 50, [new PlannedTool(CtMigrate, runs)]),
            new PlannedRow(256, 0, [new PlannedTool(Docker, runs), new PlannedTool(CtMigrate, runs)]),
            new PlannedRow(256, 50, [new PlannedTool(Docker, runs), new PlannedTool(CtMigrate, runs)]),
            new PlannedRow(1024, 0, [new PlannedTool(Docker, 1), new PlannedTool(CtMigrate, runs)]),
            new PlannedRow(1024, 50, [new PlannedTool(CtMigrate, runs)]),
        ],
        TimeLimit: null);
}
