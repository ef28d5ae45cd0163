namespace ContainerMigrate.Linux.Memory;

/// <summary>What a sealed store holds for the restore.</summary>
/// <param name="Processes">With pages to bring.</param>
/// <param name="DataPages">Pages to bring.</param>
/// <param name="ZeroPages">Pages that hold zeros, which cost nothing.</param>
public sealed record StoreTotals(int Processes, long DataPages, long ZeroPages);
