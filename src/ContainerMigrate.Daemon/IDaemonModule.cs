using ContainerMigrate.Daemon.Configuration;

namespace ContainerMigrate.Daemon;

/// <summary>A part of the daemon beside identity, pairing and the listeners: its services and its endpoints on either API.</summary>
internal interface IDaemonModule
{
    /// <summary>Names told to peers in the hello, for what the module can do beyond the first version of the protocol.</summary>
    IReadOnlyList<string> PeerCapabilities => [];

    void AddServices(IServiceCollection services, DaemonOptions options);

    /// <summary>Endpoints of the local API, paths under <c>/v1/</c>: reached over the unix socket only.</summary>
    void MapLocalApi(IEndpointRouteBuilder localApi);

    /// <summary>Endpoints for paired hosts, paths under <c>/peer/v1/</c>: reached over mutual TLS only, see <see cref="Peers.PeerIdentityExtensions.GetPeer"/>.</summary>
    void MapPeerApi(IEndpointRouteBuilder peerApi);
}
