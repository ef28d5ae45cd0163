using ContainerMigrate.Containers;
using ContainerMigrate.Host;
using ContainerMigrate.Journal;
using ContainerMigrate.Memory;
using ContainerMigrate.Network;
using ContainerMigrate.Protocol;
using ContainerMigrate.Storage;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Migration;

/// <summary>Everything outside that a migration works with; composed once by the daemon.</summary>
public sealed record MigrationEnvironment
{
    /// <summary>This host's own name, as in its failures and findings.</summary>
    public required string HostName { get; init; }

    public required MigrationLimits Limits { get; init; }

    public required IReadOnlyList<IContainerRuntime> Runtimes { get; init; }

    public required ICheckpointEngine Checkpoints { get; init; }

    public required ICgroupFreezer Freezer { get; init; }

    public required ICpuLimiter Cpu { get; init; }

    public required INetworkFence Fence { get; init; }

    public required IPacketKeeper Packets { get; init; }

    public required IAddressAnnouncer Announcer { get; init; }

    public required IContainerNetwork Network { get; init; }

    public required IDirectoryCopier Copier { get; init; }

    public required IFileFollower Files { get; init; }

    public required IKeptTrees Kept { get; init; }

    public required IHostDirectories Directories { get; init; }

    public required IMemoryTracker Tracker { get; init; }

    public required IMemoryArrivals Arrivals { get; init; }

    public required IFrozenMemory FrozenMemory { get; init; }

    public required ISourcePeers Sources { get; init; }

    /// <summary>What the destinations of containers that have left may still ask for.</summary>
    public RemainingMemories Remaining { get; } = new();

    public required IPageFileCopier Pages { get; init; }

    public required ILogCopier Logs { get; init; }

    public required IHostInspector Host { get; init; }

    public required IJournalStore Journals { get; init; }

    public required IPauseHistory Pauses { get; init; }

    public required IStartRefusal Refusals { get; init; }

    public required TimeProvider Time { get; init; }

    /// <exception cref="MigrationException">No such runtime on this host.</exception>
    public IContainerRuntime Runtime(string name) =>
        Runtimes.FirstOrDefault(r => r.Name == name)
        ?? throw new MigrationException(new MigrationFailure(HostName, "check", $"container runtime '{name}' is not supported on this host"));
}
