namespace ContainerMigrate.Linux.Storage;

/// <summary>Why an entry that looks unchanged may not be what was sent.</summary>
internal enum EntryDoubt : byte
{
    None,

    /// <summary>It was changed so shortly before it was read that a later change may bear the same time.</summary>
    Fresh,

    /// <summary>Somebody had it mapped or open for writing: what is written that way may come after the time it bears.</summary>
    Writer,
}
