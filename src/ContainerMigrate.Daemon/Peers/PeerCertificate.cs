namespace ContainerMigrate.Daemon.Peers;

/// <summary>The certificate whose key the other end of a connection has proved to have; a feature of every connection of the peer listener.</summary>
/// <param name="Fingerprint">See <see cref="Identity.Fingerprint"/>.</param>
internal sealed record PeerCertificate(string Fingerprint);
