namespace ContainerMigrate.Benchmarks.Contenders;

/// <summary>A tool could not move the container; the message says why.</summary>
internal sealed class MoveFailedException(string message) : Exception(message);
