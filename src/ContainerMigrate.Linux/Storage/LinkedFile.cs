namespace ContainerMigrate.Linux.Storage;

/// <summary>Where a receiver made an entry that further names will be linked to.</summary>
internal sealed record LinkedFile(DirectoryNode Directory, byte[] Name);
