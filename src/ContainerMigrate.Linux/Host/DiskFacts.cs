using ContainerMigrate.Linux.Storage;

namespace ContainerMigrate.Linux.Host;

/// <summary>Room in a directory's file system.</summary>
internal sealed record DiskFacts(string Directory, long FreeBytes)
{
    /// <summary>The places that a migration writes to and that can be asked.</summary>
    internal static IReadOnlyList<DiskFacts> ReadFreeBytes(HostInspectorOptions options)
    {
        List<DiskFacts> places = [];
        foreach (var directory in (string[])[options.StateDirectory, .. System.IO.Directory.Exists(options.DockerDirectory) ? [options.DockerDirectory] : Array.Empty<string>()])
        {
            try
            {
                places.Add(new DiskFacts(directory, DiskSpace.Of(directory).AvailableBytes));
            }
            catch (IOException)
            {
                // Not to be asked; what is written there will say why.
            }
        }

        return places;
    }
}
