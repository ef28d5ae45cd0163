namespace ContainerMigrate.Network;

/// <summary>
/// Drops every packet into, out of and through a container's network namespace with a table of our own. The kernel keeps
/// the rules: no process of ours has to live for the fence to hold.
/// </summary>
public interface INetworkFence
{
    /// <summary>Raises the fence; idempotent.</summary>
    Task RaiseAsync(string networkNamespacePath, CancellationToken cancellationToken);

    /// <summary>Takes it away; success when there is none or the namespace is gone.</summary>
    Task LiftAsync(string networkNamespacePath, CancellationToken cancellationToken);

    Task<bool> IsRaisedAsync(string networkNamespacePath, CancellationToken cancellationToken);
}
