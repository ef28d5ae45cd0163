namespace ContainerMigrate.Linux.Memory;

/// <summary>What a sealed store holds for the restore.</summary>
/// <param name="Processes">With pages to bring.</param>
/// <param name="DataPages">Pages to bring.</param>
/// <param name="ZeroPages">Pages that hold zeros, which cost nothing.</param>
/// <param name="MissingPages">Of the pages to bring, those that the source still has to be asked for.</param>
public sealed record StoreTotals(int Processes, long DataPages, long ZeroPages, long MissingPages = 0);
