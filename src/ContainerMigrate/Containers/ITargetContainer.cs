using System.Text.Json.Nodes;

namespace ContainerMigrate.Containers;

/// <summary>
/// The destination's copy on its way from created to running. Calls come in this order:
/// fill <see cref="WritableLayerDirectory"/>, <see cref="BeginAsync"/>, <see cref="RestoreAsync"/>,
/// <see cref="ClaimCommitAsync"/>, <see cref="ReleaseAsync"/>, <see cref="FinishAsync"/>; <see cref="RemoveAsync"/> at any
/// point before the claim. One that comes offline (<see cref="ContainerManifest.Offline"/>) is not restored: it is started by <see cref="ReleaseAsync"/>.
/// </summary>
public interface ITargetContainer
{
    string Id { get; }

    /// <summary>Where the writable layer has to be unpacked before <see cref="BeginAsync"/>.</summary>
    string WritableLayerDirectory { get; }

    /// <summary>Host directories behind its mounts, by the mounts' paths in the container; those of <see cref="ContainerManifest.GetCopiedMounts"/> have to be filled like the layer.</summary>
    IReadOnlyDictionary<string, string> MountDirectories { get; }

    /// <summary>Where the runtime will go on with the source's log once it is started; null when it keeps none.</summary>
    string? LogFile { get; }

    /// <summary>
    /// Starts everything that does not need the images: the runtime's start is issued and waits inside the OCI wrapper.
    /// Returns when it waits there.
    /// </summary>
    Task BeginAsync(CancellationToken cancellationToken);

    /// <summary>Hands over the images; returns when the process tree is rebuilt and held at <c>post-restore</c>, with nothing of it run.</summary>
    /// <param name="lazy">Memory is filled in by whoever serves <paramref name="workDirectory"/>, while the container runs.</param>
    /// <param name="fenced">Called with the path of the new network namespace, fenced, before any socket is rebuilt in it; links may come later.</param>
    /// <returns>The pid of the restored init in the host's pid namespace.</returns>
    /// <exception cref="Migration.MigrationException">The restore failed; the cause is the root line of CRIU's log.</exception>
    Task<int> RestoreAsync(string imagesDirectory, string workDirectory, bool lazy, Func<string, Task> fenced, CancellationToken cancellationToken);

    /// <summary>
    /// The one atomic step that decides who owns the container (see the wrapper contract): durable when it returns true.
    /// False when the gate has given up before; the tree is then dead or dying.
    /// </summary>
    Task<bool> ClaimCommitAsync(CancellationToken cancellationToken);

    /// <summary>Completes after the claim once the fence is open, before the first task runs; never when the container is removed.</summary>
    Task FenceOpened { get; }

    /// <summary>Completes when the container's processes run; may never, where nobody can tell.</summary>
    Task Resumed { get; }

    /// <summary>Opens the gate after the claim and waits until the runtime says that the container runs.</summary>
    Task ReleaseAsync(CancellationToken cancellationToken);

    /// <summary>Network namespace of the restored tree; null before <see cref="RestoreAsync"/> and after the container's end.</summary>
    string? NetworkNamespacePath { get; }

    /// <summary>Its cgroup; null while and where there is no process in it.</summary>
    string? CgroupDirectory { get; }

    /// <summary>Decides for abort if nothing has been decided, and unblocks everything that waits.</summary>
    /// <returns>False when the decision was commit: the container runs or is about to.</returns>
    Task<bool> TryAbortAsync(string reason);

    /// <summary>Gives the container the source's restart policy. Idempotent.</summary>
    Task FinishAsync(JsonObject restartPolicy, CancellationToken cancellationToken);

    /// <summary>Kills a held tree, removes the container and every trace of the attempt; of a committed one that somebody has removed, only the traces. Idempotent.</summary>
    Task RemoveAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Although it is committed to this host nothing of it has run here or ever will, for certain: its restore ended in between. The one case in which a
    /// commit may be taken back, and it removed, as long as nobody was told that it runs.
    /// </summary>
    bool HasNeverRun { get; }

    /// <summary>What became of the restore, for recovery.</summary>
    Task<TargetContainerState> GetStateAsync(CancellationToken cancellationToken);
}

/// <summary>States of the destination's copy that recovery tells apart.</summary>
public enum TargetContainerState
{
    Missing,
    Created,
    Held,
    Running,
    Stopped,
}
