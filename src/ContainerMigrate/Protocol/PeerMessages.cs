using System.Text.Json.Nodes;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Host;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Protocol;

/// <summary><c>POST /peer/v1/check</c>: would this container fit there?</summary>
/// <param name="Skip">Checks whose errors do not count.</param>
/// <param name="PostCopy">As in <see cref="ReserveRequest"/>.</param>
public sealed record PeerCheckRequest(ContainerManifest Manifest, HostFacts SourceFacts, IReadOnlyList<string> Skip, bool PostCopy = false);

/// <summary>What the destination says to a <see cref="PeerCheckRequest"/>.</summary>
/// <param name="MissingLayers">Layer digests to send; empty when the image is complete there.</param>
/// <param name="Checked">Names of the checks that ran there.</param>
/// <param name="Mounts">What is there for each mount that has files.</param>
public sealed record PeerCheckReply(
    HostFacts Facts, IReadOnlyList<CheckFinding> Findings, IReadOnlyList<string> MissingLayers, IReadOnlyList<string> Checked, IReadOnlyList<MountFacts>? Mounts = null);

/// <summary><c>POST /peer/v1/migrations</c>: hold name, address, memory and disk under a lease.</summary>
/// <param name="LeaseSeconds">Without a message for that long, and before PREPARED, the destination gives up by itself.</param>
/// <param name="FreezeTimeoutSeconds">Upper bound for everything between freeze and GO.</param>
/// <param name="PostCopy">Memory may stay behind: the destination will have to reach the source.</param>
/// <param name="KeepFiles">What has arrived of the files is kept when the migration fails.</param>
public sealed record ReserveRequest(
    string MigrationId, int Epoch, ContainerManifest Manifest, HostFacts SourceFacts, IReadOnlyList<string> Skip, double LeaseSeconds, double FreezeTimeoutSeconds, bool PostCopy = false, bool KeepFiles = false);

/// <summary>Reserved, or refused with the findings that say why.</summary>
/// <param name="HasKept">Files of an earlier attempt are there: the source asks for a list of them before it sends any.</param>
public sealed record ReserveReply(bool Reserved, IReadOnlyList<CheckFinding> Findings, IReadOnlyList<string> MissingLayers, bool HasKept = false);

/// <summary>Answer to the end of a stream: what arrived and was verified.</summary>
/// <param name="Packets">Of <see cref="BulkTransfer.Packets"/>: what became of them, and of those that were kept on the destination.</param>
public sealed record StreamReply(long Entries, long Bytes, PacketTotals? Packets = null);

/// <summary><c>POST /peer/v1/migrations/ID/prepare</c>: rebuild and hold.</summary>
/// <param name="Lazy">Memory comes from what went ahead, after the container runs: CRIU's images do not have it.</param>
public sealed record PrepareRequest(int Epoch, bool Lazy = false);

/// <summary>Rebuilt and held.</summary>
/// <param name="Parts">Milliseconds of the destination's steps, in order.</param>
public sealed record PrepareReply(string ContainerId, IReadOnlyDictionary<string, double> Parts);

/// <summary><c>POST /peer/v1/migrations/ID/go</c>: the source has recorded GO.</summary>
/// <param name="RestartPolicy">What the container gets once it runs.</param>
public sealed record GoRequest(int Epoch, JsonObject RestartPolicy);

/// <summary><c>POST /peer/v1/migrations/ID/abort</c></summary>
/// <param name="Epoch">Later than the destination's: an operator has decided for the source, and what has committed meanwhile is to be held.</param>
public sealed record AbortRequest(int Epoch, string Reason);

/// <summary>Where the destination stands; its phase is durable when this is sent.</summary>
/// <param name="Phase"><see cref="MigrationPhase.Committed"/>, <see cref="MigrationPhase.Aborted"/>, ... ; <see cref="MigrationPhase.New"/> when it never heard of the migration.</param>
/// <param name="Memory">What stayed behind, where something has.</param>
/// <param name="Overruled">It had committed, and holds its copy still since the source's operator decided otherwise.</param>
/// <param name="Running">True once the runtime has said that the container runs.</param>
/// <param name="KeptBytes">Content of files that is kept of a migration that failed.</param>
public sealed record PeerState(
    MigrationPhase Phase, int Epoch, bool Running, string Detail, MigrationFailure? Failure = null, IReadOnlyDictionary<string, double>? Parts = null, MemoryArrival? Memory = null, long KeptBytes = 0, bool Overruled = false)
{
    /// <summary>Of <see cref="Parts"/>, milliseconds: what the destination still did once the container ran.</summary>
    public const string AfterThePause = "afterwards";
}

/// <summary><c>GET /peer/v1/migrations/ID/journal</c>: what a host has recorded of a migration with the host that asks.</summary>
/// <param name="State">Of a destination; null of a source.</param>
/// <param name="Lines">Empty when it knows nothing of it.</param>
public sealed record PeerJournal(IReadOnlyList<Api.JournalLine> Lines, bool IsClosed, PeerState? State = null);

/// <summary>Body of every peer answer that is not a success.</summary>
public sealed record PeerError(MigrationFailure Failure);
