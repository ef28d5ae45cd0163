using ContainerMigrate.Benchmarks.Contenders;

namespace ContainerMigrate.Benchmarks;

/// <summary>A tool in a row.</summary>
/// <param name="Tool"><see cref="IContender.Tool"/></param>
/// <param name="Runtime"><see cref="IContender.Runtime"/></param>
/// <param name="Runs">How often it moves a fresh container.</param>
/// <param name="AtLeast">How many of them are made though the plan's time is over.</param>
internal sealed record PlannedTool(string Tool, string Runtime, int Runs, int AtLeast = int.MaxValue);
