namespace ContainerMigrate.Linux.Host;

/// <summary>An open descriptor of a process, as /proc/PID/fd and fdinfo show it.</summary>
/// <param name="Target">Where the link leads: a path, <c>socket:[1234]</c>, <c>anon_inode:[eventfd]</c>, ...</param>
/// <param name="MountId">The mount through which it was opened; null when it is not told.</param>
internal sealed record OpenDescriptor(int Number, string Target, int? MountId)
{
    /// <summary>The kernel's name of a socket's protocol (<c>TCP</c>, <c>UNIX-STREAM</c>, <c>MPTCP</c>, ...); null for everything else.</summary>
    internal string? SocketProtocol { get; init; }

    /// <summary>For a character or block device.</summary>
    internal (uint Major, uint Minor, bool IsBlock)? Device { get; init; }

    /// <summary>True for an inotify descriptor that watches something.</summary>
    internal bool HasWatches { get; init; }

    /// <summary>True for an eventfd that each read takes only one from (EFD_SEMAPHORE).</summary>
    internal bool IsSemaphore { get; init; }
}
