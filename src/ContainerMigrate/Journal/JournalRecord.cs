using System.Text.Json.Nodes;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Journal;

/// <summary>One durable step of a migration.</summary>
public sealed record JournalRecord
{
    /// <summary>1 for the first record, then one more each.</summary>
    public required int Sequence { get; init; }

    public required MigrationPhase Phase { get; init; }

    /// <summary>A later life of the same migration has a higher number; what comes from an older one changes nothing.</summary>
    public required int Epoch { get; init; }

    public required DateTimeOffset At { get; init; }

    /// <summary>What recovery needs to carry this step on or to undo it; names are those of <see cref="JournalKeys"/>.</summary>
    public JsonObject? Data { get; init; }
}

/// <summary>Names of values in <see cref="JournalRecord.Data"/>.</summary>
public static class JournalKeys
{
    public const string Role = "role";
    public const string Peer = "peer";
    public const string Runtime = "runtime";
    public const string ContainerId = "container_id";
    public const string ContainerName = "container_name";
    public const string Manifest = "manifest";
    public const string RestartPolicy = "restart_policy";
    public const string InitPid = "init_pid";
    public const string Cgroup = "cgroup";
    public const string Paused = "paused";

    /// <summary>True on the source, with the record of the freeze: the container is stopped instead.</summary>
    public const string Stopped = "stopped";

    /// <summary>True on the source, with its end: the container is in a file, and goes on running.</summary>
    public const string LeftRunning = "left_running";

    /// <summary>True on the source: its host was being emptied.</summary>
    public const string Evacuation = "evacuation";

    /// <summary>True: the rounds of pre-copy freeze the cgroup for moments, in which a daemon that dies leaves it frozen.</summary>
    public const string FreezesInRounds = "freezes_in_rounds";

    /// <summary>A container that is slowed down: its cgroup, and the <c>cpu.max</c> that it had before.</summary>
    public const string CpuCgroup = "cpu_cgroup";
    public const string CpuLimit = "cpu_max";

    /// <summary>On the destination: directories that were made for mounts, and where the files of each copied mount go.</summary>
    public const string Claims = "claims";
    public const string VolumeDirectories = "volume_directories";

    /// <summary>On the destination, true: what has arrived of the files is kept when the migration fails.</summary>
    public const string KeepFiles = "keep_files";

    /// <summary>On the source: what is removed once the container has arrived.</summary>
    public const string DepartingVolumes = "departing_volumes";
    public const string DepartingDirectories = "departing_directories";

    /// <summary>Post-copy: bytes that stay on the source at first.</summary>
    public const string LeftBehindBytes = "left_behind_bytes";

    /// <summary>Destination: whether we have frozen the container because the source cannot be asked.</summary>
    public const string StandsStill = "stands_still";
    public const string Failure = "failure";
    public const string Result = "result";
    public const string ExitCode = "exit_code";

    /// <summary>An operator has decided, after GO: one of <see cref="Api.Winners"/>.</summary>
    public const string Resolved = "resolved";

    /// <summary>Source, resolved: true once the destination has acknowledged it.</summary>
    public const string PeerTold = "peer_told";

    /// <summary>Destination: why the container is held here although this host had committed: the source's operator decided otherwise.</summary>
    public const string Overruled = "overruled";

    /// <summary>On the last record of all: nothing is left to finish or to undo.</summary>
    public const string Closed = "closed";
}
