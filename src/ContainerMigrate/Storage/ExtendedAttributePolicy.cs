namespace ContainerMigrate.Storage;

/// <summary>
/// Which extended attributes travel. Names are bytes; the namespaces are those of xattr(7), overlay's own are those of
/// fs/overlayfs/overlayfs.h.
/// <list type="bullet">
/// <item><c>user.*</c>, <c>trusted.*</c>, <c>security.capability</c>, <c>security.ima</c> and POSIX ACLs travel.</item>
/// <item><c>security.selinux</c>, <c>security.apparmor</c>, SMACK's: the label belongs to the host's policy; the
/// destination's runtime gives its own. <c>security.evm</c> is keyed to its host.</item>
/// <item>Overlay's <c>origin</c>, <c>upper</c> and <c>nlink</c> hold file handles of the source's file system or count
/// links of its index, and mean something else (or another file) on the destination. Overlay works without them; what is lost
/// is that the inode number survives a copy-up.</item>
/// <item>Overlay's <c>opaque</c>, <c>whiteout</c>, <c>redirect</c>, <c>metacopy</c>, <c>impure</c>, <c>protattr</c>, <c>verity</c>, <c>uuid</c> and
/// escaped ones (<c>overlay.overlay.*</c>, written by an overlay within) speak of names and contents only, and travel.</item>
/// <item>Other <c>system.*</c> (NFSv4 and CIFS ACLs) belong to their file systems.</item>
/// </list>
/// </summary>
public static class ExtendedAttributePolicy
{
    /// <summary>True when a sender has to send the attribute and a receiver may accept it.</summary>
    public static bool Travels(ReadOnlySpan<byte> name)
    {
        if (name.StartsWith("trusted.overlay."u8))
        {
            return OverlayTravels(name["trusted.overlay."u8.Length..]);
        }

        if (name.StartsWith("user.overlay."u8))
        {
            return OverlayTravels(name["user.overlay."u8.Length..]);
        }

        return name.StartsWith("user."u8) || name.StartsWith("trusted."u8)
            || name.SequenceEqual("security.capability"u8) || name.SequenceEqual("security.ima"u8)
            || name.SequenceEqual("system.posix_acl_access"u8) || name.SequenceEqual("system.posix_acl_default"u8);
    }

    /// <summary>True for attributes that only the host's administrator can set or read.</summary>
    public static bool IsTrusted(ReadOnlySpan<byte> name) => name.StartsWith("trusted."u8);

    /// <summary>
    /// True for overlay's redirect with a value that leaves the layers: a component <c>..</c> or <c>.</c>, or a relative path of
    /// several components. The kernel refuses those too (ovl_get_redirect_xattr, lookup_one).
    /// </summary>
    public static bool IsBadRedirect(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (!name.SequenceEqual("trusted.overlay.redirect"u8) && !name.SequenceEqual("user.overlay.redirect"u8))
        {
            return false;
        }

        var isAbsolute = value.StartsWith("/"u8);
        if (value.IsEmpty || (!isAbsolute && value.Contains((byte)'/')))
        {
            return true;
        }

        foreach (var range in value[(isAbsolute ? 1 : 0)..].Split((byte)'/'))
        {
            var component = value[(isAbsolute ? 1 : 0)..][range];
            if (component.IsEmpty || component.SequenceEqual("."u8) || component.SequenceEqual(".."u8))
            {
                return true;
            }
        }

        return false;
    }

    private static bool OverlayTravels(ReadOnlySpan<byte> suffix)
    {
        // An overlay within an overlay finds its own attributes escaped once more a level (ovl_is_escaped_xattr).
        while (suffix.StartsWith("overlay."u8))
        {
            suffix = suffix["overlay."u8.Length..];
        }

        return !suffix.SequenceEqual("origin"u8) && !suffix.SequenceEqual("upper"u8) && !suffix.SequenceEqual("nlink"u8);
    }
}
