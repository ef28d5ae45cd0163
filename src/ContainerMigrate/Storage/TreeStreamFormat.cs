namespace ContainerMigrate.Storage;

/// <summary>
/// The stream in which a directory tree travels. All numbers are little endian.
/// <code>
/// stream  = block* end
/// block   = u32 length (1..MaxBlockLength), payload
/// end     = u32 0, u64 payload bytes, u64 digest (XXH64 over all payloads)
/// payload = header, root's entries, DirectoryEnd, Attribute*, EntryEnd, TreeEnd   (a record never crosses a block)
/// header  = u64 magic, u16 version, u16 content (0: a whole tree, 1: changes)
/// entry   = Directory entry* DirectoryEnd Attribute* EntryEnd
///         | File (Data | Hole)* FileEnd Attribute* EntryEnd
///         | Symlink Attribute* EntryEnd
///         | Node Attribute* EntryEnd
///         | Link | LastLink
/// </code>
/// Changes to a tree that is there already have these too, and say all the attributes of whatever they name:
/// <code>
/// entry   = Remove
///         | Enter entry* DirectoryEnd Attribute* EntryEnd
///         | Patch (Data | Hole | Keep)* FileEnd Attribute* EntryEnd
/// </code>
/// The digest finds accidents (a torn buffer, a bad disk controller); that nobody but the paired peer wrote the stream is
/// for TLS to say, and what the peer wrote is hostile until checked.
/// </summary>
public static class TreeStreamFormat
{
    /// <summary>"CTMTREE" and a zero byte.</summary>
    public const ulong Magic = 0x0045_4552_544D_5443;

    /// <summary>Raised with every change that an older receiver would misread.</summary>
    public const ushort Version = 2;

    /// <summary>Content: a tree that goes into an empty directory.</summary>
    public const ushort WholeTree = 0;

    /// <summary>Content: changes to a tree that came before.</summary>
    public const ushort Changes = 1;

    /// <summary>Bytes of magic, version and content.</summary>
    public const int HeaderLength = 12;

    /// <summary>Bytes of a block's length in front of its payload.</summary>
    public const int BlockHeaderLength = sizeof(uint);

    /// <summary>Bytes of payload total and digest behind the last, empty block.</summary>
    public const int TrailerLength = 2 * sizeof(ulong);

    /// <summary>256 KiB of content and a page for the records around it.</summary>
    public const int MaxBlockLength = (256 + 4) * 1024;

    /// <summary>NAME_MAX of linux/limits.h.</summary>
    public const int MaxNameLength = 255;

    /// <summary>PATH_MAX of linux/limits.h less the terminating zero: the longest target that symlink(2) takes.</summary>
    public const int MaxTargetLength = 4095;

    /// <summary>XATTR_NAME_MAX of linux/limits.h.</summary>
    public const int MaxAttributeNameLength = 255;

    /// <summary>XATTR_SIZE_MAX of linux/limits.h.</summary>
    public const int MaxAttributeValueLength = 65536;

    /// <summary>Directories within directories; each costs the receiver a small object.</summary>
    public const int MaxDepth = 65536;
}
