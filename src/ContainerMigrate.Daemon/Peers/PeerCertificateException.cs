namespace ContainerMigrate.Daemon.Peers;

/// <summary>Whoever answered at a peer's address showed another certificate than the pinned one.</summary>
internal sealed class PeerCertificateException(Peer peer, string fingerprint)
    : Exception($"{peer.Address} answers with the certificate {fingerprint}, not with the one {peer.Name} was paired with")
{
    public string Fingerprint { get; } = fingerprint;
}
