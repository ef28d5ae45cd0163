namespace ContainerMigrate.Daemon.Peers;

/// <summary>A host that this one is paired with.</summary>
/// <param name="Name">What it calls itself, and what commands call it.</param>
/// <param name="Fingerprint">Its pinned certificate: see <see cref="Identity.Fingerprint"/>.</param>
internal sealed record Peer(string Name, PeerAddress Address, string Fingerprint, DateTimeOffset PairedAt);
