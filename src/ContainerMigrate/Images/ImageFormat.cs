namespace ContainerMigrate.Images;

/// <summary>
/// The frame of CRIU's image files, as far as pagemaps go (criu/include/magic.h, criu/protobuf.c): two magic numbers, then messages,
/// each a <c>u32</c> with its length and a protobuf message. All numbers are little endian.
/// </summary>
internal static class ImageFormat
{
    /// <summary>IMG_COMMON_MAGIC.</summary>
    internal const uint CommonMagic = 0x54564319;

    /// <summary>PAGEMAP_MAGIC, of processes and of shared memory.</summary>
    internal const uint PagemapMagic = 0x56084025;

    /// <summary>An entry of CRIU has at most 40 bytes; the rest is room for fields to come.</summary>
    internal const int MaxMessageBytes = 256;

    /// <summary>Entries of one image. Every other page of 256 GiB, and 768 MiB of ours to hold them.</summary>
    internal const int MaxEntries = 32 * 1024 * 1024;

    // Fields of pagemap_head and pagemap_entry (images/pagemap.proto).
    internal const int HeadPagesId = 1;
    internal const int EntryAddress = 1;
    internal const int EntryCompatiblePageCount = 2;
    internal const int EntryInParent = 3;
    internal const int EntryFlags = 4;
    internal const int EntryPageCount = 5;
}
