using ContainerMigrate.Daemon.Identity;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>Lets paired hosts connect as often as they like, and others a few at a time and not for long: they come to pair, or for no good.</summary>
internal sealed class PeerConnections(PeerDirectory peers)
{
    public const int MaxStrangers = 32;

    private static readonly TimeSpan StrangerLifetime = TimeSpan.FromSeconds(30);

    private int _strangers;

    /// <summary>Connection middleware; stands behind TLS.</summary>
    public ConnectionDelegate Admit(ConnectionDelegate next) => async connection =>
    {
        if (connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate is not { } certificate)
        {
            connection.Abort();
            return;
        }

        var fingerprint = Fingerprint.Of(certificate);
        connection.Features.Set(new PeerCertificate(fingerprint));
        if (peers.FindByFingerprint(fingerprint) is not null)
        {
            await next(connection);
            return;
        }

        try
        {
            if (Interlocked.Increment(ref _strangers) > MaxStrangers)
            {
                connection.Abort();
                return;
            }

            using var lifetime = new CancellationTokenSource(StrangerLifetime);
            await using var end = lifetime.Token.Register(connection.Abort);
            await next(connection);
        }
        finally
        {
            Interlocked.Decrement(ref _strangers);
        }
    };
}
