using ContainerMigrate.Checks;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;

namespace ContainerMigrate.Api;

/// <summary><c>POST /v1/check</c></summary>
public sealed record CheckRequest
{
    /// <summary>Name or id, optionally with its runtime: <c>web</c>, <c>docker:web</c>, <c>runc:web</c>.</summary>
    public required string Container { get; init; }

    /// <summary>Name of a paired host.</summary>
    public required string Host { get; init; }

    /// <summary>Names of checks whose errors do not count.</summary>
    public IReadOnlyList<string> Skip { get; init => field = value ?? []; } = [];

    /// <summary>As in <see cref="MigrateRequest"/>.</summary>
    public string Mode { get; init => field = value ?? "auto"; } = "auto";

    /// <inheritdoc cref="Mode"/>
    public string OnStall { get; init => field = value ?? "accept"; } = "accept";

    /// <inheritdoc cref="MigrateRequest.Volumes"/>
    public IReadOnlyList<string> Volumes { get; init => field = value ?? []; } = [];
}

/// <summary>What <c>check</c> found on both hosts.</summary>
public sealed record CheckReport
{
    public required string Container { get; init; }

    public required string Runtime { get; init; }

    public required string Source { get; init; }

    public required string Destination { get; init; }

    public IReadOnlyList<CheckFinding> Findings { get; init => field = value ?? []; } = [];

    /// <summary>Names of the checks that ran, on either host.</summary>
    public IReadOnlyList<string> Checked { get; init => field = value ?? []; } = [];

    /// <summary>Predicted pause in milliseconds; null when it cannot be estimated.</summary>
    public double? PredictedPauseMs { get; init; }

    /// <summary>How many earlier migrations from this host to that one the prediction rests on; 0: on constants.</summary>
    public int PredictedFrom { get; init; }

    /// <summary>The way memory will be moved: <c>stop-and-copy</c>, ...</summary>
    public string Mode { get; init => field = value ?? "stop-and-copy"; } = "stop-and-copy";

    /// <summary>How written pages are found, one of <see cref="Memory.MemoryTrackers"/>; empty where memory is not copied ahead.</summary>
    public string Tracker { get; init => field = value ?? ""; } = "";

    public long MemoryBytes { get; init; }

    /// <summary>Memory that the destination has available now.</summary>
    public long DestinationAvailableBytes { get; init; }

    public long WritableLayerBytes { get; init; }

    public long ImageBytesToSend { get; init; }

    /// <summary>What becomes of the files of each mount.</summary>
    public IReadOnlyList<MountReport> Mounts { get; init => field = value ?? []; } = [];

    /// <summary>True when no error is left that was not skipped.</summary>
    public bool Ok { get; init; }
}

/// <summary><c>POST /v1/migrations</c></summary>
public sealed record MigrateRequest
{
    public required string Container { get; init; }

    public required string Host { get; init; }

    /// <summary><c>auto</c>, <c>precopy</c>, <c>postcopy</c> or <c>stop-and-copy</c>.</summary>
    public string Mode { get; init => field = value ?? "auto"; } = "auto";

    /// <summary>The pause, in seconds, that more rounds of pre-copy are worth; null: 0.3.</summary>
    public double? MaxDowntimeSeconds { get; init; }

    /// <summary>What when more rounds do not help: <c>accept</c> the longer pause, <c>abort</c>, <c>throttle</c> the container, or go on as <c>postcopy</c>.</summary>
    public string OnStall { get; init => field = value ?? "accept"; } = "accept";

    public bool DryRun { get; init; }

    /// <summary>The host is being emptied: <c>ctmigrate return</c> brings the container back.</summary>
    public bool Evacuation { get; init; }

    /// <summary>Where the container goes is a file (<see cref="SaveRequest"/>); never in a request of a client.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool ToFile { get; init; }

    /// <summary>Of a container that is saved: it goes on running here.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool LeaveRunning { get; init; }

    public IReadOnlyList<string> Skip { get; init => field = value ?? []; } = [];

    /// <summary>What becomes of mounts, each as <c>NAME=copy</c>, <c>shared</c>, <c>empty</c>, <c>skip</c> or <c>replace</c>; NAME is a volume's name or the path in the container.</summary>
    public IReadOnlyList<string> Volumes { get; init => field = value ?? []; } = [];

    /// <summary>The source's copy of volumes and directories that went along stays.</summary>
    public bool KeepVolumes { get; init; }

    /// <summary>What has arrived of the files stays on the destination for a while when the migration fails, and the next attempt sends only the rest.</summary>
    public bool KeepDestination { get; init; }

    /// <summary>Longest time, in seconds, for everything up to GO; null: the daemon's setting.</summary>
    public double? DeadlineSeconds { get; init; }

    /// <summary>Longest time, in seconds, that the container stays frozen before GO; null: the daemon's setting.</summary>
    public double? FreezeTimeoutSeconds { get; init; }
}

/// <summary>How a migration stands, and after its end how it went.</summary>
public sealed record MigrationStatus
{
    public required string Id { get; init; }

    /// <summary><c>source</c> or <c>destination</c>: this host's part in it.</summary>
    public required string Role { get; init; }

    public required string Container { get; init; }

    public required string Runtime { get; init; }

    public required string Source { get; init; }

    public required string Destination { get; init; }

    public required MigrationPhase Phase { get; init; }

    /// <summary>What is being done right now, in a few words.</summary>
    public string Activity { get; init => field = value ?? ""; } = "";

    public string Mode { get; init => field = value ?? "stop-and-copy"; } = "stop-and-copy";

    /// <inheritdoc cref="CheckReport.Tracker"/>
    public string Tracker { get; init => field = value ?? ""; } = "";

    public DateTimeOffset StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Bytes to send as far as known, and bytes sent, of what is being sent now.</summary>
    public long TotalBytes { get; init; }

    public long SentBytes { get; init; }

    /// <summary>Bytes per second of the current transfer.</summary>
    public double BytesPerSecond { get; init; }

    /// <summary>Rounds of pre-copy so far.</summary>
    public IReadOnlyList<PreCopyRound> Rounds { get; init => field = value ?? []; } = [];

    /// <summary>Rounds of files so far.</summary>
    public IReadOnlyList<FileRound> FileRounds { get; init => field = value ?? []; } = [];

    /// <summary>Content of the files that the last look has found to be new or changed; of a large file less may have to be sent. Null before the first.</summary>
    public long? FilesLeftBytes { get; init; }

    /// <summary>Memory that stayed behind and follows while the container runs on the destination; null where there is none.</summary>
    public MemoryArrival? PostCopy { get; init; }

    public MigrationFailure? Failure { get; init; }

    /// <summary>Of a migration that failed: content of files that the destination keeps for the next attempt; 0 for none.</summary>
    public long KeptBytes { get; init; }

    public IReadOnlyList<CheckFinding> Findings { get; init => field = value ?? []; } = [];

    /// <summary>Present once the migration has ended well.</summary>
    public MigrationResult? Result { get; init; }

    /// <summary>
    /// What the command line ends with (<see cref="ExitCodes"/>); set once the migration has ended. Only the daemon can tell a
    /// cancelled migration from a failed one, and a dry run that found nothing (0) from one that did (11).
    /// </summary>
    public int? ExitCode { get; init; }

    /// <summary>
    /// What became of the container on the source: <c>running</c>, <c>paused</c>, <c>frozen</c>, <c>stopped</c>, <c>removed</c> or <c>unknown</c>;
    /// null while it moves, and where the phase says it all.
    /// </summary>
    public string? SourceState { get; init; }

    /// <summary>What the destination holds: <c>absent</c>, <c>held</c>, <c>running</c>, <c>paused</c> or <c>unknown</c>; null like <see cref="SourceState"/>.</summary>
    public string? DestinationState { get; init; }
}

/// <summary>Figures of a finished migration. Times are in milliseconds.</summary>
public sealed record MigrationResult
{
    /// <summary>From the freeze on the source to the moment the tasks ran on the destination, as far as the two hosts can tell.</summary>
    public double PauseMs { get; init; }

    public double? PredictedMs { get; init; }

    /// <summary>The pause in its parts, in order: name to milliseconds.</summary>
    public IReadOnlyDictionary<string, double> PauseParts { get; init => field = value ?? new Dictionary<string, double>(); } = new Dictionary<string, double>();

    public double TotalMs { get; init; }

    public int Rounds { get; init; }

    /// <summary>Rounds of files.</summary>
    public int FileRounds { get; init; }

    /// <summary>Content of files that went ahead, and of those that went in the pause.</summary>
    public long FilesAheadBytes { get; init; }

    public long FilesInPauseBytes { get; init; }

    /// <summary>Bytes before compression, and as they went over the wire.</summary>
    public long SentBytes { get; init; }

    public long WireBytes { get; init; }

    /// <summary>Time the container was stopped before the switchover.</summary>
    public double FrozenBeforeSwitchoverMs { get; init; }

    /// <summary>Identifier of the container on the destination.</summary>
    public string DestinationId { get; init => field = value ?? ""; } = "";

    /// <summary>What followed after the switchover; null where all had gone before.</summary>
    public MemoryArrival? PostCopy { get; init; }

    /// <summary>What became of the packets that reached the container in the pause; null where none could be kept, or that is not known.</summary>
    public PacketTotals? KeptPackets { get; init; }
}

/// <summary><c>202</c> of <c>POST /v1/migrations</c>.</summary>
public sealed record MigrationAccepted(string Id);

/// <summary>Body of every answer that is not a success.</summary>
/// <param name="ExitCode">What the command line ends with: see product.md.</param>
public sealed record ApiError(string Message, int ExitCode, MigrationFailure? Failure = null);

/// <summary>A host that this one is paired with.</summary>
public sealed record HostStatus
{
    public required string Name { get; init; }

    /// <summary><c>host:port</c> or <c>[ipv6]:port</c>.</summary>
    public required string Address { get; init; }

    /// <summary>SHA-256 of its certificate, hexadecimal with colons.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>False when it did not answer just now; <see cref="Detail"/> says why.</summary>
    public bool Reachable { get; init; }

    public string Detail { get; init => field = value ?? ""; } = "";

    public string Version { get; init => field = value ?? ""; } = "";

    public double? RoundTripMs { get; init; }

    /// <summary>Its clock minus ours.</summary>
    public double? ClockOffsetMs { get; init; }
}

/// <summary><c>GET /v1/version</c></summary>
public sealed record VersionReport(string Host, string Version);

/// <summary><c>GET /v1/hosts</c></summary>
public sealed record HostsReport
{
    public required string Self { get; init; }

    public required string Fingerprint { get; init; }

    public IReadOnlyList<HostStatus> Hosts { get; init => field = value ?? []; } = [];

    /// <summary>Set while a pairing code is open, so that the operator of this host can read it out.</summary>
    public PairingCode? OpenCode { get; init; }
}

/// <summary>A one-time code that lets one other host pair with this one.</summary>
/// <param name="RequestedBy">Name of the host that asked, or null when an operator here opened it.</param>
public sealed record PairingCode(string Code, DateTimeOffset ExpiresAt, string? RequestedBy = null);

/// <summary><c>POST /v1/hosts/pair</c></summary>
/// <param name="Host"><c>name</c>, <c>name:port</c>, <c>address</c>.</param>
/// <param name="Code">The code shown on the other side; null asks it to make and show one.</param>
public sealed record PairRequest(string Host, string? Code = null);

/// <summary>Answer to <see cref="PairRequest"/>: either paired, or the code is now shown on the other side.</summary>
public sealed record PairReply(bool Paired, HostStatus? Host = null, string Message = "");

/// <summary><c>POST /v1/announce</c></summary>
public sealed record AnnounceRequest(string Container);

/// <summary>What was announced: one line an address.</summary>
public sealed record AnnounceReply(IReadOnlyList<string> Announced);

/// <summary>One thing <c>doctor</c> looked at.</summary>
/// <param name="Status"><c>ok</c>, <c>warning</c> or <c>error</c>.</param>
public sealed record DoctorItem(string Name, string Status, string Detail, string? Hint = null);

/// <summary><c>GET /v1/doctor</c></summary>
public sealed record DoctorReport(string Host, string Version, IReadOnlyList<DoctorItem> Items);

/// <summary><c>GET /v1/migrations</c> and <c>GET /v1/history</c></summary>
public sealed record MigrationList(IReadOnlyList<MigrationStatus> Migrations);
