namespace ContainerMigrate.Volumes;

/// <summary>What a host has at a path.</summary>
/// <param name="FileSystem">Tells file systems of one host apart.</param>
/// <param name="FreeBytes">Of the file system that it is on, or would be.</param>
/// <param name="FreeEntries">Inodes of that file system.</param>
/// <param name="IsAllowed">Beneath one of the directories that containers from elsewhere may use, with no symbolic link on the way.</param>
/// <param name="MayBeShared">On a kind of file system that several hosts can have mounted.</param>
public sealed record HostPlace(PlaceKind Kind, string FileSystem, long FreeBytes, long FreeEntries, bool IsAllowed, bool MayBeShared);
