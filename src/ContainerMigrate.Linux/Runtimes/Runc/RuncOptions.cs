namespace ContainerMigrate.Linux.Runtimes.Runc;

/// <summary>Where containers of plain runc are.</summary>
/// <param name="Roots">State roots that are looked through (<c>runc --root</c>); the first is used for arrivals.</param>
/// <param name="BundlesDirectory">Where bundles of arriving containers are made.</param>
public sealed record RuncOptions(IReadOnlyList<string> Roots, string BundlesDirectory);
