namespace ContainerMigrate.Linux.Storage;

/// <summary>What has to be done about an entry that a scan has found.</summary>
internal enum EntryAction : byte
{
    /// <summary>The destination has it as it is, with everything in it.</summary>
    None,

    /// <summary>It is sent whole, in the place of whatever has its name there.</summary>
    Send,

    /// <summary>A file that is there: what of its content is different is sent.</summary>
    Patch,

    /// <summary>A directory that is there: something in it or about it is different.</summary>
    Enter,
}
