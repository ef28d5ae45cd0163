namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>What server and holder say to each other. Those up to <see cref="Userfault"/> come with a descriptor, in both directions.</summary>
internal enum HeldKind
{
    /// <summary>The socket on which CRIU is awaited.</summary>
    Listener = 1,

    /// <summary>The connection to CRIU, with whatever it has sent and nobody has read.</summary>
    Connection = 2,

    /// <summary>The userfaultfd of an address space.</summary>
    Userfault = 3,

    /// <summary>Holder: this was all.</summary>
    All = 4,

    /// <summary>Server: CRIU may be started.</summary>
    Listening = 5,

    /// <summary>Holder: all address spaces are registered, load what nobody asks for.</summary>
    Begin = 6,

    /// <summary>Server: this address space has all its pages, or is gone.</summary>
    Released = 7,

    /// <summary>Server: CRIU has said all it had to say.</summary>
    Restored = 8,

    /// <summary>Server: there is nothing left to do.</summary>
    Finished = 9,

    /// <summary>Server: CRIU gave up before anything ran.</summary>
    Abandoned = 10,

    /// <summary>Holder: nothing will be restored after all.</summary>
    GiveUp = 11,

    /// <summary>Server: a process waits for a page that the source alone has; see <see cref="HeldMessage.Wanted"/>.</summary>
    Wanted = 12,

    /// <summary>Holder: pages have arrived in the store.</summary>
    Arrived = 13,
}
