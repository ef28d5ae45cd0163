using System.Text.Json.Nodes;
using ContainerMigrate.Checks;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Containers;

/// <summary>One container runtime on this host: both what a source and what a destination needs of it.</summary>
public interface IContainerRuntime
{
    /// <summary><c>docker</c> or <c>runc</c>.</summary>
    string Name { get; }

    /// <summary>Whether the runtime works here, and its version.</summary>
    Task<RuntimeStatus> GetStatusAsync(CancellationToken cancellationToken);

    /// <summary>Containers known to the runtime that carry this name or id (or an unambiguous id prefix); empty when none.</summary>
    Task<IReadOnlyList<ContainerReference>> FindAsync(string nameOrId, CancellationToken cancellationToken);

    /// <summary>All containers that run here, or are paused.</summary>
    Task<IReadOnlyList<RunningContainer>> ListAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Reads everything about a running or paused container.
    /// </summary>
    /// <exception cref="Migration.MigrationException">It does not run, or went away.</exception>
    Task<SourceContainer> InspectAsync(ContainerReference reference, CancellationToken cancellationToken);

    /// <summary>Source: whether a container, after whatever was done to it, still is the one that it was.</summary>
    /// <exception cref="Migration.MigrationException">The runtime does not say.</exception>
    Task<ContainerLife> FindLifeAsync(ContainerReference reference, CancellationToken cancellationToken);

    /// <summary>What of this container's settings and state keeps it from moving, as seen on the source. Never throws for a finding.</summary>
    Task<IReadOnlyList<CheckFinding>> CheckSourceAsync(SourceContainer container, CancellationToken cancellationToken);

    /// <summary>What keeps this manifest from being rebuilt here, as seen on the destination.</summary>
    Task<IReadOnlyList<CheckFinding>> CheckTargetAsync(ContainerManifest manifest, CancellationToken cancellationToken);

    /// <summary>
    /// Takes away whatever would start the container again once its processes end (Docker's restart policy).
    /// </summary>
    /// <returns>What <see cref="ReturnRestartPolicyAsync"/> needs to undo it; goes into the journal before the effect.</returns>
    Task<JsonObject> ReadRestartPolicyAsync(ContainerReference reference, CancellationToken cancellationToken);

    /// <summary>Sets the policy that never restarts.</summary>
    Task SuspendRestartPolicyAsync(ContainerReference reference, CancellationToken cancellationToken);

    /// <summary>Gives back a policy read by <see cref="ReadRestartPolicyAsync"/>. Idempotent.</summary>
    Task ReturnRestartPolicyAsync(ContainerReference reference, JsonObject policy, CancellationToken cancellationToken);

    /// <summary>Whether containers can be stopped here and started again, with all that the runtime itself keeps of them.</summary>
    bool CanStop { get; }

    /// <summary>
    /// Source: ends the container as its own settings say (signal, time that it is given), and returns when it has ended. Idempotent. A stop that has begun is waited for even
    /// when it is cancelled: who gives up has to know what there is to start again.
    /// </summary>
    Task StopAsync(ContainerReference reference, CancellationToken cancellationToken);

    /// <summary>Source: starts what <see cref="StopAsync"/> has ended. Idempotent; a container that is gone is success.</summary>
    Task StartAsync(ContainerReference reference, CancellationToken cancellationToken);

    /// <summary>Kills and removes the frozen source copy; its network namespace stays fenced to the end. Idempotent: a container that is gone is success.</summary>
    Task DestroyAsync(ContainerReference reference, CancellationToken cancellationToken);

    /// <summary>
    /// Destination: for each of the manifest's links the host's own link behind which the address will live here (macvlan's parent, or the
    /// bridge), so that it can be probed. Links that cannot be told are left out.
    /// </summary>
    Task<IReadOnlyDictionary<string, string>> FindHostLinksAsync(ContainerManifest manifest, CancellationToken cancellationToken);

    /// <summary>Source: of the container's mounts those that another running container has too, by their paths, with that container's name.</summary>
    Task<IReadOnlyDictionary<string, string>> FindMountUsersAsync(SourceContainer container, CancellationToken cancellationToken);

    /// <summary>Destination: what is there for each of the manifest's mounts that has files.</summary>
    Task<IReadOnlyList<MountFacts>> LookAtMountsAsync(ContainerManifest manifest, CancellationToken cancellationToken);

    /// <summary>Source, after <see cref="DestroyAsync"/>: removes a volume that went along. Idempotent.</summary>
    /// <returns>False when it is still needed here.</returns>
    Task<bool> RemoveVolumeAsync(string name, CancellationToken cancellationToken);

    /// <summary>Bytes of the image that this host lacks, as a list of layer digests to send; empty when it is complete.</summary>
    Task<IReadOnlyList<string>> FindMissingLayersAsync(ImageIdentity image, CancellationToken cancellationToken);

    /// <summary>Source: writes an archive of the image that holds only <paramref name="layers"/> (all of them where the runtime cannot do less).</summary>
    Task ExportImageAsync(ImageIdentity image, IReadOnlyList<string> layers, Stream destination, CancellationToken cancellationToken);

    /// <summary>Destination: reads what <see cref="ExportImageAsync"/> wrote and verifies that the image's id is the one promised.</summary>
    Task ImportImageAsync(ImageIdentity image, Stream source, CancellationToken cancellationToken);

    /// <summary>
    /// Destination: makes the container, not started, with no restart policy, and labelled with the migration's id. One that comes
    /// offline cannot be started by anybody but the migration until it is committed.
    /// </summary>
    Task<ITargetContainer> CreateAsync(ContainerManifest manifest, string migrationId, CancellationToken cancellationToken);

    /// <summary>
    /// Destination, after an abort: removes a container that <see cref="CreateAsync"/> made for this migration and that is not known by its id,
    /// and an image that came only for it. Idempotent.
    /// </summary>
    Task RemoveTracesAsync(ContainerManifest manifest, string migrationId, CancellationToken cancellationToken);

    /// <summary>Destination, after a restart of the daemon: finds what <see cref="CreateAsync"/> made; null when it is gone.</summary>
    Task<ITargetContainer?> OpenAsync(ContainerManifest manifest, string containerId, CancellationToken cancellationToken);
}

/// <summary>Whether a container runs.</summary>
/// <param name="InitPid">Of its first process; 0 when it does not run.</param>
/// <param name="Exists">False when it was removed.</param>
/// <param name="End">How it ended, in the runtime's words; empty while it runs.</param>
public sealed record ContainerLife(int InitPid, bool Exists, string End);

/// <summary>How a runtime is on this host.</summary>
/// <param name="Available">False when it is not installed or does not answer; <paramref name="Detail"/> says why.</param>
public sealed record RuntimeStatus(bool Available, string Version, string StorageDriver, string Detail);
