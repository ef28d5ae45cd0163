using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace ContainerMigrate.Daemon.Identity;

/// <summary>TLS between daemons: version 1.3, a certificate on both sides, and a pin in the place of a chain.</summary>
internal static class PeerTls
{
    /// <summary>
    /// Any certificate is let in, for the caller's key is proved by the handshake and who it is gets decided for each
    /// request: an unpaired host must be able to reach the pairing endpoints.
    /// </summary>
    public static SslServerAuthenticationOptions ForServer(DaemonIdentity identity) => new()
    {
        ServerCertificateContext = identity.TlsContext,
        EnabledSslProtocols = SslProtocols.Tls13,
        ClientCertificateRequired = true,
        RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = NoChain(),
        ApplicationProtocols = [SslApplicationProtocol.Http11],

        // A resumed session proves no key again.
        AllowTlsResume = false,
    };

    /// <param name="accept">Looks at the server's certificate; what it throws ends the connection.</param>
    public static SslClientAuthenticationOptions ForClient(DaemonIdentity identity, Func<X509Certificate, bool> accept) => new()
    {
        TargetHost = "ctmigrated",
        ClientCertificateContext = identity.TlsContext,
        EnabledSslProtocols = SslProtocols.Tls13,
        RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null && accept(certificate),
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = NoChain(),
        ApplicationProtocols = [SslApplicationProtocol.Http11],
        AllowTlsResume = false,
    };

    /// <summary>Keeps a chain from being looked for: a stranger's certificate can name addresses to download issuers from.</summary>
    private static X509ChainPolicy NoChain() => new()
    {
        DisableCertificateDownloads = true,
        RevocationMode = X509RevocationMode.NoCheck,
        TrustMode = X509ChainTrustMode.CustomRootTrust,
        VerificationFlags = X509VerificationFlags.AllFlags,
    };
}
