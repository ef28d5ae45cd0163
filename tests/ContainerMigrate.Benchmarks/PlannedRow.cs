namespace ContainerMigrate.Benchmarks;

/// <summary>One container, and the tools that move it.</summary>
/// <param name="MemoryMib">Random memory that it holds, in MiB.</param>
/// <param name="DirtyMibPerSecond">How much of it is rewritten each second, in MiB.</param>
internal sealed record PlannedRow(int MemoryMib, int DirtyMibPerSecond, IReadOnlyList<PlannedTool> Tools);
