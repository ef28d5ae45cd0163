namespace ContainerMigrate.Storage;

/// <summary>First byte of every record of a <see cref="TreeStreamFormat"/> stream.</summary>
public enum TreeRecordKind : byte
{
    None = 0,

    /// <summary>Name; what follows lies in it, until <see cref="DirectoryEnd"/>.</summary>
    Directory = 1,

    /// <summary>Attributes; they come last because filling a directory changes its times.</summary>
    DirectoryEnd = 2,

    /// <summary>Attributes, link id (0 for none), name; its content follows.</summary>
    File = 3,

    /// <summary>u32 length (not 0), content at the file's current position.</summary>
    Data = 4,

    /// <summary>u64 length (not 0): the position moves on; never two in a row.</summary>
    Hole = 5,

    /// <summary>u64 size: where the position has to be.</summary>
    FileEnd = 6,

    /// <summary>Attributes, link id, name, target.</summary>
    Symlink = 7,

    /// <summary>Attributes, link id, device number, name: fifo, socket, character or block device by its mode.</summary>
    Node = 8,

    /// <summary>Link id, name: one more name for an entry that came earlier under this id.</summary>
    Link = 9,

    /// <summary>Extended attribute of the entry before: name, value.</summary>
    Attribute = 10,

    /// <summary>The entry is complete.</summary>
    EntryEnd = 11,

    /// <summary>u64 entries (the root left out), u64 content bytes; nothing may follow.</summary>
    TreeEnd = 12,

    /// <summary>Like <see cref="Link"/>; the id is not used again.</summary>
    LastLink = 13,

    /// <summary>Name: the entry is taken away, with all that is in it. Changes only, like all that follow.</summary>
    Remove = 14,

    /// <summary>Name of a directory that is there already; what follows changes it, until <see cref="DirectoryEnd"/>.</summary>
    Enter = 15,

    /// <summary>Attributes, name of a regular file that is there already; what of its content changes follows.</summary>
    Patch = 16,

    /// <summary>u64 length (not 0): so much of the file that is there stays as it is; never two in a row.</summary>
    Keep = 17,
}
