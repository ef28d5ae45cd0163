using System.Net;
using ContainerMigrate.Daemon.Peers;

namespace ContainerMigrate.Daemon.Configuration;

/// <summary>Everything that can be set in <c>ctmigrated.json</c>, with the defaults of a host that has no such file.</summary>
internal sealed record DaemonOptions
{
    public const string DefaultConfigurationFile = "/etc/ctmigrate/ctmigrated.json";
    public const int DefaultPeerPort = 7440;

    /// <summary><c>host_name</c>: what this host calls itself towards its peers and in every report. Default: the machine's host name.</summary>
    public string HostName { get; init; } = Environment.MachineName;

    /// <summary><c>peer_listen</c>: addresses to listen on for peers; empty: all, IPv4 and IPv6.</summary>
    public IReadOnlyList<IPAddress> PeerListen { get; init; } = [];

    /// <summary><c>peer_port</c>: TCP port for peers. 0 (any free one) is for tests and refused in the file.</summary>
    public int PeerPort { get; init; } = DefaultPeerPort;

    /// <summary><c>peer_advertise</c>: the address that peers shall use for this host; null: the one they see it connect from, with <see cref="PeerPort"/>.</summary>
    public PeerAddress? PeerAdvertise { get; init; }

    /// <summary><c>socket</c>: the local API.</summary>
    public string Socket { get; init; } = "/run/ctmigrate/ctmigrated.sock";

    /// <summary>Group that may use <see cref="Socket"/> besides root, if it exists. Not in the file: the name is part of the product.</summary>
    public string SocketGroup { get; init; } = "ctmigrate";

    /// <summary><c>state_dir</c></summary>
    public string StateDirectory { get; init; } = "/var/lib/ctmigrate";

    /// <summary><c>log_file</c>; null (an empty text in the file): console only.</summary>
    public string? LogFile { get; init; } = "/var/log/ctmigrate/ctmigrated.log";

    /// <summary><c>log_level</c></summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary><c>freeze_timeout</c>: longest time a container stays frozen before GO.</summary>
    public TimeSpan FreezeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary><c>deadline</c>: longest time from the start of a migration to GO.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary><c>gate_timeout</c>: how long a rebuilt container is held un-run for the decision.</summary>
    public TimeSpan GateTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary><c>lease</c>: how long a destination keeps a reservation without hearing from the source.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary><c>bandwidth</c>: bits a second that bulk data may take; null: no limit.</summary>
    public long? BandwidthBitsPerSecond { get; init; }

    /// <summary><c>runc_roots</c>: state directories in which containers of plain runc are looked for.</summary>
    public IReadOnlyList<string> RuncRoots { get; init; } = ["/run/runc"];

    /// <summary><c>bind_roots</c>: directories of this host beneath which containers from elsewhere may have theirs mounted, and those of departed ones are removed.</summary>
    public IReadOnlyList<string> BindRoots { get; init; } = ["/srv", "/mnt", "/media", "/data"];

    /// <summary><c>docker_socket</c></summary>
    public string DockerSocket { get; init; } = "/run/docker.sock";

    /// <summary><c>criu</c>: path or name of the CRIU binary.</summary>
    public string CriuPath { get; init; } = "criu";

    /// <summary><c>memory_tracker</c>: one of <see cref="Memory.MemoryTrackers"/>, to use no other; null (<c>auto</c> in the file): whatever works best.</summary>
    public string? MemoryTracker { get; init; }

    /// <summary><c>save_dir</c>: where an evacuation puts containers that it saves; null: <c>saved</c> in <see cref="StateDirectory"/>.</summary>
    public string? SaveDirectory { get; init; }

    public string IdentityDirectory => Path.Combine(StateDirectory, "identity");

    public string PeersFile => Path.Combine(StateDirectory, "peers.json");

    public string MigrationsDirectory => Path.Combine(StateDirectory, "migrations");

    /// <summary>One directory for each restore: the contract with the runtime wrapper.</summary>
    public string RestoresDirectory => Path.Combine(StateDirectory, "restores");

    /// <summary>Containers that the runtime wrapper must not create.</summary>
    public string RefusedDirectory => Path.Combine(StateDirectory, "refused");
}
