namespace ContainerMigrate.Network;

/// <summary>
/// Keeps what is sent to a container while it can take nothing, and delivers it later: a client whose packets are dropped in the pause
/// sends again only when its own timer says so, 200 ms later, then 400, 800, ...
/// </summary>
public interface IPacketKeeper
{
    /// <summary>Prepares to keep what arrives in a network namespace; takes nothing yet.</summary>
    /// <param name="packets">Gets whole IP packets that are for the namespace itself, with complete checksums: TCP, UDP and echo requests.</param>
    /// <exception cref="Migration.MigrationException">That is not possible there; the cause says why.</exception>
    Task<IPacketKeeping> OpenAsync(string networkNamespacePath, KeptPackets packets, CancellationToken cancellationToken);

    /// <summary>Makes a way to deliver packets through the very links that they would have come through.</summary>
    /// <exception cref="Migration.MigrationException">The namespace cannot be reached.</exception>
    Task<IPacketDelivery> OpenDeliveryAsync(string networkNamespacePath, CancellationToken cancellationToken);
}

/// <summary>One namespace whose packets are kept. Disposing ends it: what arrives later goes its ordinary way.</summary>
public interface IPacketKeeping : IAsyncDisposable
{
    /// <summary>
    /// From here on the namespace's own sockets get nothing of what is kept, fence or not. The rules are part of the fence, which takes
    /// them away when it is lifted; should this process die, what they catch is dropped like the fence's.
    /// </summary>
    /// <exception cref="Migration.MigrationException">The rules cannot be made.</exception>
    Task BeginAsync(CancellationToken cancellationToken);
}

/// <summary>Delivers packets to a container.</summary>
public interface IPacketDelivery : IDisposable
{
    /// <summary>Puts one packet where it would have arrived, past what an <see cref="IPacketKeeping"/> catches, but not past a fence.</summary>
    /// <param name="packet">May be hostile: what is no whole packet for an address of this container is refused.</param>
    /// <returns>False when it was refused, or cannot be delivered through that kind of link.</returns>
    bool TryDeliver(ReadOnlySpan<byte> packet);
}
