using System.Text.Json.Nodes;

namespace ContainerMigrate.Containers;

/// <summary>
/// Everything the destination must know to make the same container. Crosses the wire, so on the
/// destination every value is hostile until <see cref="ManifestValidator"/> has passed it.
/// </summary>
public sealed record ContainerManifest
{
    /// <summary>The runtime's name: <c>docker</c> or <c>runc</c>.</summary>
    public required string Runtime { get; init; }

    /// <summary>The container's identifier on the source.</summary>
    public required string SourceId { get; init; }

    public required string Name { get; init; }

    /// <summary>True when the container is paused and has to arrive paused.</summary>
    public bool Paused { get; init; }

    /// <summary>True when the container is stopped before it is handed over, and started afresh on the destination: nothing of its processes goes along.</summary>
    public bool Offline { get; init; }

    /// <summary>True when the container's standard streams are a pseudo-terminal.</summary>
    public bool HasTerminal { get; init; }

    /// <summary>What init's descriptors 0 to 2 led to when it was started, as runc has noted it: <c>/dev/null</c>, <c>pipe:[4711]</c>. Empty when nobody knows.</summary>
    public IReadOnlyList<string> StandardStreams { get; init => field = value ?? []; } = [];

    public ImageIdentity? Image { get; init; }

    /// <summary>Links of the container's network namespace, loopback left out.</summary>
    public IReadOnlyList<NetworkLink> Links { get; init => field = value ?? []; } = [];

    public IReadOnlyList<MountDescription> Mounts { get; init => field = value ?? []; } = [];

    /// <summary>The runtime's own settings: the adapter that wrote them reads them on the other side.</summary>
    public required JsonObject Settings { get; init; }

    /// <summary>Resident memory of all processes, in bytes; an estimate that changes while the container runs.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Bytes and entries of the writable layer (runc: of the whole root file system).</summary>
    public long WritableLayerBytes { get; init; }

    /// <summary>Files, directories and links of the writable layer; 0 when nobody has counted them.</summary>
    public long WritableLayerEntries { get; init; }

    /// <summary>Bytes of the runtime's log that go along.</summary>
    public long LogBytes { get; init; }

    public int ProcessCount { get; init; }

    /// <summary>Mounts whose files go along, each place once, in the order in which both hosts count them.</summary>
    public IReadOnlyList<MountDescription> GetCopiedMounts() => [.. Mounts.Where(m => m.IsCopied).DistinctBy(m => (m.Kind, m.Source))];

    /// <summary>Bytes of all files that go along.</summary>
    public long GetFileBytes() => WritableLayerBytes + GetCopiedMounts().Sum(m => m.Bytes);

    /// <summary>Entries of all trees that go along.</summary>
    public long GetFileEntries() => WritableLayerEntries + GetCopiedMounts().Sum(m => m.Entries);
}

/// <summary>An image as both hosts can recognise it.</summary>
/// <param name="Reference">The name it was started by, such as <c>app:1</c>, or its id where it has no name.</param>
/// <param name="Id"><c>sha256:</c> and 64 hexadecimal digits: the digest of its configuration.</param>
/// <param name="LayerDigests">Uncompressed layer digests (<c>sha256:...</c>), lowest first.</param>
/// <param name="SizeBytes">Bytes of all layers together.</param>
public sealed record ImageIdentity(string Reference, string Id, IReadOnlyList<string> LayerDigests, long SizeBytes);

/// <summary>A network link inside the container.</summary>
public sealed record NetworkLink
{
    public required string Name { get; init; }

    /// <summary>Six octets, <c>02:42:0a:4d:00:32</c>.</summary>
    public required string MacAddress { get; init; }

    /// <summary>Kernel link kind: <c>veth</c>, <c>macvlan</c>, <c>ipvlan</c>, ...</summary>
    public required string Kind { get; init; }

    public int Mtu { get; init; } = 1500;

    /// <summary>What it hangs on in the host's namespace: macvlan's parent, veth's bridge; null when unknown.</summary>
    public string? HostLink { get; init; }

    /// <summary>Macvlan/ipvlan mode; null for others.</summary>
    public string? Mode { get; init; }

    /// <summary>Addresses with prefix length, <c>10.77.0.50/24</c>; link-local IPv6 included.</summary>
    public IReadOnlyList<string> Addresses { get; init => field = value ?? []; } = [];

    public IReadOnlyList<NetworkRoute> Routes { get; init => field = value ?? []; } = [];
}

/// <summary>A route of the container's main table that leaves through a link.</summary>
/// <param name="Destination"><c>default</c>, <c>::/0</c> or a prefix.</param>
/// <param name="Gateway">Null for an on-link route.</param>
/// <param name="Family">4 or 6.</param>
public sealed record NetworkRoute(string Destination, string? Gateway, int Family);
