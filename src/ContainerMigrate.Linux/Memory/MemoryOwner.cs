namespace ContainerMigrate.Linux.Memory;

/// <summary>The id of the container whose memory a store holds, in the store itself: for a daemon that comes after this one.</summary>
internal static class MemoryOwner
{
    private const string FileName = "container";

    internal static void Note(string store, string containerId) => File.WriteAllText(PathIn(store), containerId);

    /// <summary>Null when nobody has noted it, or all is in place and the store gone.</summary>
    internal static string? Read(string store)
    {
        try
        {
            return File.ReadAllText(PathIn(store));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private static string PathIn(string store) => Path.Combine(store, FileName);
}
