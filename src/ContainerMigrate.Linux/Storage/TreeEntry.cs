using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Storage;

/// <summary>One entry of a <see cref="TreeSnapshot"/>: about 100 bytes.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct TreeEntry
{
    /// <summary>In a snapshot that was sent: from before the entry was read.</summary>
    public EntryStamp Stamp;

    /// <summary>Of the content that was sent under this name; null when it is not known any more.</summary>
    public BlockDigests? Blocks;

    /// <summary>The number that entries share which are one file at the destination; 0 for one with a name of its own.</summary>
    public uint Object;

    /// <summary>The same name in the snapshot before; -1 for none.</summary>
    public int Before;

    /// <summary>Of a directory: where its entries begin.</summary>
    public int FirstChild;

    public int ChildCount;

    public int NameStart;

    public byte NameLength;

    public EntryAction Action;

    public EntryDoubt Doubt;

    /// <summary>Left over from an earlier attempt: only its kind, and of a file its <see cref="Blocks"/>, are known.</summary>
    public bool IsKept;

    /// <summary>Whether the destination has it.</summary>
    public bool IsSent;
}
