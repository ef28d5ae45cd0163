using ContainerMigrate.Containers;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Linux.Volumes;

/// <summary>What this host has where a mount of an arriving container would go.</summary>
internal static class BindPlaces
{
    /// <param name="directory">Null: the mount's own source.</param>
    public static async Task<MountFacts> LookAsync(IHostDirectories directories, MountDescription mount, CancellationToken cancellationToken, string? directory = null)
    {
        var path = directory ?? mount.Source;
        return FactsOf(directories, mount, path, followLink: false) with
        {
            Directory = path,
            SeesToken = mount.Token.Length > 0 ? await directories.SeesTokenAsync(path, mount.Token, cancellationToken) : null,
            IsIdentical = mount.Fingerprint.Length > 0 && await directories.FingerprintAsync(path, cancellationToken) == mount.Fingerprint,
        };
    }

    public static MountFacts FactsOf(IHostDirectories directories, MountDescription mount, string path, bool followLink)
    {
        var place = directories.Look(path, followLink);
        return new MountFacts
        {
            Target = mount.Target, Kind = place.Kind, IsAllowed = place.IsAllowed, FileSystem = place.FileSystem, FreeBytes = place.FreeBytes, FreeEntries = place.FreeEntries,
            Limits = place.IsAllowed || mount.Kind == "volume" ? directories.FindLimits(path) : FileSystemLimits.None,
        };
    }
}
