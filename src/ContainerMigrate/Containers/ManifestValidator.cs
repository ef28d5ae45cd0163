namespace ContainerMigrate.Containers;

/// <summary>Bounds and allow-lists for a manifest that came from a peer.</summary>
public static class ManifestValidator
{
    private static readonly System.Buffers.SearchValues<char> HexDigits = System.Buffers.SearchValues.Create("0123456789abcdef");
    private const int MaxNameLength = 255;
    private const int MaxListLength = 256;
    private const int MaxTextLength = 4096;

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

        if (manifest.Image is { } image
            && (!IsDigest(image.Id) || !image.LayerDigests.All(IsDigest) || image.Reference.Length > MaxTextLength || image.SizeBytes < 0))
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

        if (manifest.Mounts.Any(m => m.Source.Length > MaxTextLength || m.Target.Length > MaxTextLength))
        {
            return "a mount's path is too long";
        }

        return manifest.MemoryBytes < 0 || manifest.WritableLayerBytes < 0 || manifest.LogBytes < 0 ? "a size is negative" : null;
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
        // IFNAMSIZ is 16 with the terminating zero (linux/if.h).
        if (link.Name.Length is 0 or > 15 || link.Name.Any(c => char.IsWhiteSpace(c) || c == '/')
            || link.HostLink is { } host && (host.Length is 0 or > 15 || host.Any(c => char.IsWhiteSpace(c) || c == '/')))
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

        if (!link.Addresses.All(a => System.Net.IPNetwork.TryParse(Canonical(a), out _)))
        {
            return "a link's address is not an address with prefix length";
        }

        return link.Routes.All(r => (r.Destination == "default" || System.Net.IPNetwork.TryParse(Canonical(r.Destination), out _))
                                    && (r.Gateway is null || System.Net.IPAddress.TryParse(r.Gateway, out _)) && r.Family is 4 or 6)
            ? null
            : "a route's destination or gateway is malformed";
    }

    // IPNetwork wants the base address; what is checked here is the form, so the host part does not matter.
    private static string Canonical(string address)
    {
        var slash = address.LastIndexOf('/');
        if (slash < 0 || !System.Net.IPAddress.TryParse(address.AsSpan(0, slash), out var ip) || !int.TryParse(address.AsSpan(slash + 1), out var length))
        {
            return "";
        }

        return length < 0 || length > (ip.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 32 : 128)
            ? ""
            : ip.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? "0.0.0.0/0" : "::/0";
    }
}
