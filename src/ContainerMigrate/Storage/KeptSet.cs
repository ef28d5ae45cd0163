namespace ContainerMigrate.Storage;

/// <summary>What is kept of one container after a migration that failed.</summary>
/// <param name="Peer">The source, the only host that may build on it.</param>
/// <param name="Container">Identifier of the container there.</param>
/// <param name="Until">It is removed after that.</param>
/// <param name="Bytes">Content of all trees.</param>
/// <param name="Directories">Where each tree lies, by the names that whoever kept them gave.</param>
public sealed record KeptSet(string Peer, string Container, DateTimeOffset Until, long Bytes, IReadOnlyDictionary<string, string> Directories);
