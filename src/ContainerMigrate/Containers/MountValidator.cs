using ContainerMigrate.Volumes;

namespace ContainerMigrate.Containers;

/// <summary>Bounds and allow-lists for mounts that came from a peer.</summary>
internal static class MountValidator
{
    private const int MaxPathLength = 4095; // PATH_MAX of linux/limits.h less the terminating zero
    private const int MaxLabels = 128;
    private const int MaxLabelLength = 4096;
    private const int FingerprintLength = 64;
    private const long MaxBytes = 1L << 50;
    private const long MaxEntries = 1L << 40;

    /// <summary>The first thing wrong, or null.</summary>
    public static string? FindProblem(IReadOnlyList<MountDescription> mounts)
    {
        if (mounts.DistinctBy(m => m.Target).Count() != mounts.Count)
        {
            return "two mounts have the same path";
        }

        foreach (var mount in mounts)
        {
            if (!IsPath(mount.Target) || !VolumeActions.All.Contains(mount.Action))
            {
                return "a mount's path in the container is no absolute path, or its action is not known";
            }

            if (mount.Kind switch { "bind" => !IsPath(mount.Source), "volume" => !ManifestValidator.IsName(mount.Source) || !ManifestValidator.IsName(mount.Driver), _ => mount.Source.Length > MaxPathLength })
            {
                return "a mount's source is neither an absolute path nor a volume's name";
            }

            if (mount.Bytes is < 0 or > MaxBytes || mount.Entries is < 0 or > MaxEntries)
            {
                return "a mount's size is out of range";
            }

            if (mount.Labels.Count > MaxLabels || mount.Labels.Any(l => l.Key.Length is 0 or > MaxLabelLength || l.Value is null or { Length: > MaxLabelLength }))
            {
                return "a volume's labels are too many or too long";
            }

            if ((mount.Token.Length > 0 && !VolumeToken.IsOne(mount.Token)) || (mount.Fingerprint.Length > 0 && (mount.Fingerprint.Length != FingerprintLength || !mount.Fingerprint.All(char.IsAsciiHexDigitLower))))
            {
                return "a mount's token or fingerprint is malformed";
            }
        }

        return null;
    }

    // Without anything that would be read another way by whoever joins or splits it.
    private static bool IsPath(string path) =>
        path.Length is > 1 and <= MaxPathLength && path[0] == '/' && !path.Any(char.IsControl) && !path[1..].TrimEnd('/').Split('/').Any(p => p is "" or "." or "..");
}
