namespace ContainerMigrate.Containers;

/// <summary>
/// What becomes of a container's memory when each process gets its own pages one by one: what forked processes still share copy-on-write is then held once
/// for each of them. CRIU's own restore lets them share it again.
/// </summary>
/// <param name="LimitBytes">The lowest limit of its cgroup and of those above it (<c>memory.max</c>); null without one.</param>
/// <param name="UsedBytes">Anonymous and shared memory now, swapped or not, each page counted once.</param>
/// <param name="CopiesBytes">What comes to that when nothing is shared copy-on-write any more.</param>
public sealed record MemoryDemand(long? LimitBytes, long UsedBytes, long CopiesBytes)
{
    /// <summary>Nothing is known of it, or nothing changes.</summary>
    public static MemoryDemand None { get; } = new(null, 0, 0);

    /// <summary>It would not fit its limit any more: 3 % are left to the kernel's own structures and to file pages that cannot be dropped.</summary>
    public bool ExceedsLimit => LimitBytes is { } limit && CopiesBytes > limit / 100 && UsedBytes + CopiesBytes > limit - (limit / 100 * 3);

    /// <summary>Enough to be told of.</summary>
    public bool IsNotable => CopiesBytes > 64 << 20 && CopiesBytes > UsedBytes / 4;
}
