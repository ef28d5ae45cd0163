namespace ContainerMigrate.Containers;

/// <summary>
/// Keeps a container that belongs to another host from being started here by anybody, across reboots: the OCI runtime wrapper
/// looks for the mark that this leaves.
/// </summary>
public interface IStartRefusal
{
    /// <summary>Durable when it returns; idempotent.</summary>
    void Refuse(string containerId, string reason);

    /// <summary>Takes the mark away; idempotent.</summary>
    void Allow(string containerId);
}
