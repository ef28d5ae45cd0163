namespace ContainerMigrate.Containers;

/// <summary>A running or paused container, as a list shows it.</summary>
/// <param name="Labels">Docker's labels, or a bundle's annotations.</param>
/// <param name="Paused">It is paused.</param>
public sealed record RunningContainer(ContainerReference Reference, IReadOnlyDictionary<string, string> Labels, bool Paused);
