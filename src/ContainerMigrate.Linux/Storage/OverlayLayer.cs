using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// What is special about an overlay's upper directory (Documentation/filesystems/overlayfs.rst). It is copied like any tree, while the
/// overlay is not mounted or nothing writes to it; <see cref="ExtendedAttributePolicy"/> says which of its attributes travel.
/// </summary>
public static class OverlayLayer
{
    /// <summary>True for the character device 0:0 that hides a name of a lower layer.</summary>
    public static bool IsWhiteout(in TreeAttributes attributes, uint major, uint minor) =>
        attributes.Type == TreeAttributes.CharacterDevice && major == 0 && minor == 0;
}
