using ContainerMigrate.Migration;

namespace ContainerMigrate.Protocol;

/// <summary>
/// The destination as the source sees it. Every call is bounded in time; a failure of the peer arrives as a
/// <see cref="MigrationException"/> that carries the peer's own words, a failure of the wire as <see cref="PeerUnreachableException"/>.
/// </summary>
public interface IPeer
{
    /// <summary>Its name in the list of hosts.</summary>
    string Name { get; }

    Task<PeerCheckReply> CheckAsync(PeerCheckRequest request, CancellationToken cancellationToken);

    Task<ReserveReply> ReserveAsync(ReserveRequest request, CancellationToken cancellationToken);

    /// <summary>Streams what <paramref name="write"/> produces; returns when the peer has verified all of it.</summary>
    Task<StreamReply> SendAsync(string migrationId, BulkTransfer stream, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken);

    /// <summary>Reads the list of what is kept there of a tree, as <see cref="Storage.IKeptTrees.DescribeAsync"/> writes it.</summary>
    /// <param name="tree">Number of a volume, or <see cref="Storage.TreesFormat.LayerNumber"/>.</param>
    Task ReadKeptAsync(string migrationId, int tree, Func<Stream, CancellationToken, Task> read, CancellationToken cancellationToken);

    Task<PrepareReply> PrepareAsync(string migrationId, PrepareRequest request, CancellationToken cancellationToken);

    Task<PeerState> GoAsync(string migrationId, GoRequest request, CancellationToken cancellationToken);

    Task<PeerState> AbortAsync(string migrationId, AbortRequest request, CancellationToken cancellationToken);

    Task<PeerState> GetStateAsync(string migrationId, CancellationToken cancellationToken);

    /// <summary>Returns once the files that the destination received would survive a power cut there; only then may the source's copy go.</summary>
    Task<PeerState> SettleAsync(string migrationId, CancellationToken cancellationToken);

    /// <summary>Tells the destination that the source's copy is gone.</summary>
    Task<PeerState> FinishAsync(string migrationId, CancellationToken cancellationToken);
}

/// <summary>The bulk streams of a migration.</summary>
public enum BulkTransfer
{
    /// <summary>A piece of the same formats that is thrown away: what both daemons have to compile and connect, they do before the freeze.</summary>
    Probe,

    /// <summary>Layers of the image that the destination lacks.</summary>
    Image,

    /// <summary>The writable layer while the container runs, or what has changed of it since.</summary>
    Files,

    /// <summary>What is left of the writable layer in the pause.</summary>
    Layer,

    /// <summary>What the container has written so far, as the runtime keeps it.</summary>
    Log,

    /// <summary>Pages of processes: a round of pre-copy, or what is left in the pause.</summary>
    Memory,

    /// <summary>CRIU's page files, while they are written.</summary>
    Pages,

    /// <summary>CRIU's other image files.</summary>
    Checkpoint,

    /// <summary>Packets that reached the frozen container, as they come, from before the freeze until the destination runs it.</summary>
    Packets,
}

/// <summary>The peer did not answer: what it did with the request is not known.</summary>
public sealed class PeerUnreachableException(string host, string reason, Exception? innerException = null)
    : Exception($"{host} does not answer: {reason}", innerException)
{
    public string Host { get; } = host;
}
