namespace ContainerMigrate.Linux.Storage;

/// <summary>A directory's place in the tree, kept where a path would be too long (PATH_MAX) and too large to keep.</summary>
/// <param name="Parent">Null for the root.</param>
/// <param name="Name">Empty for the root.</param>
internal sealed record DirectoryNode(DirectoryNode? Parent, byte[] Name);
