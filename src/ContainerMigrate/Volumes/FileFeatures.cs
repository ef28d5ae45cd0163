namespace ContainerMigrate.Volumes;

/// <summary>What files may have that not every file system takes, as it is called in messages.</summary>
public static class FileFeatures
{
    public const string UserAttributes = "user attributes";

    public const string TrustedAttributes = "trusted attributes";

    public const string Capabilities = "capabilities";

    public const string AccessLists = "POSIX ACLs";

    /// <summary>Those that an extended attribute belongs to; null for one that every place that takes attributes takes.</summary>
    public static string? OfAttribute(ReadOnlySpan<byte> name) =>
        name.StartsWith("user."u8) ? UserAttributes
        : name.StartsWith("trusted."u8) ? TrustedAttributes
        : name.SequenceEqual("security.capability"u8) ? Capabilities
        : name.StartsWith("system.posix_acl_"u8) ? AccessLists
        : null;
}
