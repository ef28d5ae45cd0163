using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Identity;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>The TCP listener for other daemons.</summary>
internal sealed class PeerListener(DaemonOptions options, IServer server)
{
    /// <summary>The port it listens on; known once the server has started.</summary>
    public int Port => options.PeerPort != 0 ? options.PeerPort : BoundPort();

    public static void Listen(KestrelServerOptions kestrel, DaemonOptions options, DaemonIdentity identity, PeerDirectory peers)
    {
        var connections = new PeerConnections(peers);
        if (options.PeerListen.Count == 0)
        {
            kestrel.ListenAnyIP(options.PeerPort, listen => Configure(listen, identity, connections));
        }

        foreach (var address in options.PeerListen)
        {
            kestrel.Listen(address, options.PeerPort, listen => Configure(listen, identity, connections));
        }
    }

    private static void Configure(ListenOptions listen, DaemonIdentity identity, PeerConnections connections)
    {
        listen.Protocols = HttpProtocols.Http1;
        listen.Use(next => connection =>
        {
            connection.Features.Set(ListenerFeature.Peer);
            if (connection.Features.Get<Microsoft.AspNetCore.Connections.Features.IConnectionSocketFeature>() is { } feature)
            {
                PeerSockets.Configure(feature.Socket);
            }

            return next(connection);
        });
        listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            OnConnection = _ => ValueTask.FromResult(PeerTls.ForServer(identity)),
            HandshakeTimeout = TimeSpan.FromSeconds(10),
        });
        listen.Use(connections.Admit);
    }

    private int BoundPort() =>
        server.Features.GetRequiredFeature<IServerAddressesFeature>().Addresses
            .Select(address => new Uri(address))
            .First(address => address.Scheme == Uri.UriSchemeHttps)
            .Port;
}
