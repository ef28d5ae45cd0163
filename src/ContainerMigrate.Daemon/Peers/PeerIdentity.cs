using Microsoft.AspNetCore.Http.Features;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>The paired host that made a request on the peer listener; a feature of every request that reaches a peer endpoint.</summary>
internal sealed record PeerIdentity(string Name, string Fingerprint);

internal static class PeerIdentityExtensions
{
    /// <summary>Who asks. Only for endpoints of the peer listener, which no one else reaches.</summary>
    public static PeerIdentity GetPeer(this HttpContext context) => context.Features.GetRequiredFeature<PeerIdentity>();
}
