namespace ContainerMigrate.Containers;

/// <summary>Bounds and allow-lists for a manifest that came from a peer.</summary>
public static class ManifestValidator
{
    private static readonly System.Buffers.SearchValues<char> HexDigits = System.Buffers.SearchValues.Create("0123456789abcdef");
    private const int MaxNameLength = 255;
    private const int MaxListLength = 256;
    private const int MaxTextLength = 4096;
    private const int MaxStreams = 3;

    // A pebibyte: sums of such figures stay far from the end of a long.
    private const long MaxBytes = 1L << 50;

    /// <summary>The first thing wrong with the manifest, or null.</summary>
    public static string? FindProblem(ContainerManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        if (manifest.Runtime is not ("docker" or "runc" or "podman"))
        {
            return "runtime is not one of docker, runc, podman";
        }

        if (!IsName(manifest.Name) || !IsName(manifest.SourceId))
        {
            return "name or id holds characters other than letters, digits, '_', '.' and '-'";
        }

        if (manifest.Links.Count > MaxListLength || manifest.Mounts.Count > MaxListLength
            || manifest.Image?.LayerDigests.Count > MaxListLength)
        {
            return $"more than {MaxListLength} links, mounts or layers";
        }

        // A list of JSON may hold null whatever its elements' type says.
        if (manifest.Links.Any(l => l is null || l.Addresses.Any(a => a is null) || l.Routes.Any(r => r is null)) || manifest.Mounts.Any(m => m is null))
        {
            return "a list holds null";
        }

        if (manifest.StandardStreams.Count > MaxStreams || manifest.StandardStreams.Any(s => s is null or { Length: > MaxTextLength }))
        {
            return "what its standard streams are is no list of three";
        }

        if (manifest.Links.DistinctBy(l => l.Name).Count() != manifest.Links.Count)
        {
            return "two links have the same name";
        }

        if (manifest.Image is { } image
            && (!IsDigest(image.Id) || !image.LayerDigests.All(IsDigest) || image.Reference.Length > MaxTextLength || image.SizeBytes is < 0 or > MaxBytes))
        {
            return "image id or layer digest is not sha256:<64 hexadecimal digits>";
        }

        foreach (var link in manifest.Links)
        {
            if (FindProblem(link) is { } problem)
            {
                return problem;
            }
        }

        if (MountValidator.FindProblem(manifest.Mounts) is { } mountProblem)
        {
            return mountProblem;
        }

        return manifest.MemoryBytes is < 0 or > MaxBytes || manifest.WritableLayerBytes is < 0 or > MaxBytes || manifest.LogBytes is < 0 or > MaxBytes || manifest.WritableLayerEntries < 0 || manifest.ProcessCount < 0 ? "a size is out of range" : null;
    }

    /// <summary>True for what Docker and runc accept as a container's name or id.</summary>
    public static bool IsName(string? name) =>
        name is { Length: > 0 and <= MaxNameLength } && char.IsAsciiLetterOrDigit(name[0])
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');

    /// <summary>True for <c>sha256:</c> and 64 lower-case hexadecimal digits.</summary>
    public static bool IsDigest(string? digest) =>
        digest is { Length: 71 } && digest.StartsWith("sha256:", StringComparison.Ordinal)
        && digest.AsSpan(7).IndexOfAnyExcept(HexDigits) < 0;

    private static string? FindProblem(NetworkLink link)
    {
        if (!IsLinkName(link.Name) || link.HostLink is { } host && !IsLinkName(host))
        {
            return "a link's name is not an interface name";
        }

        if (link.MacAddress.Length != 17 || !System.Net.NetworkInformation.PhysicalAddress.TryParse(link.MacAddress, out _))
        {
            return "a link's MAC address is malformed";
        }

        if (link.Mtu is < 68 or > 65536 || link.Addresses.Count > MaxListLength || link.Routes.Count > MaxListLength)
        {
            return "a link's MTU, address count or route count is out of range";
        }

        if (!link.Addresses.All(IsNetwork))
        {
            return "a link's address is not an address with prefix length";
        }

        return link.Routes.All(r => (r.Destination == "default" || IsNetwork(r.Destination))
                                    && (r.Gateway is null || TryParseAddress(r.Gateway, out _)) && r.Family is 4 or 6)
            ? null
            : "a route's destination or gateway is malformed";
    }

    // IFNAMSIZ is 16 with the terminating zero (linux/if.h); the rest is dev_valid_name() of net/core/dev.c, and nothing that a program takes for an option.
    private static bool IsLinkName(string name) =>
        name.Length is > 0 and <= 15 && name is not ("." or "..") && name[0] != '-' && !name.Any(c => char.IsWhiteSpace(c) || char.IsControl(c) || c is '/' or ':');

    private static bool IsNetwork(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && TryParseAddress(text[..slash], out var address)
            && int.TryParse(text.AsSpan(slash + 1), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var length)
            && length <= (address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 32 : 128);
    }

    // What the parser takes besides (10.1, 0x7f000001, brackets, ports, zones) is not how addresses are written here.
    private static bool TryParseAddress(string text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out System.Net.IPAddress? address) =>
        System.Net.IPAddress.TryParse(text, out address) && text.All(c => char.IsAsciiHexDigit(c) || c is ':' or '.')
        && (address.AddressFamily != System.Net.Sockets.AddressFamily.InterNetwork || text.Count(c => c == '.') == 3);
}
