using System.Net;
using System.Net.Sockets;
using ContainerMigrate.Daemon.Configuration;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace ContainerMigrate.Daemon.LocalApi;

/// <summary>The unix socket for programs of this host. Who may open it is up to its owner, group and mode.</summary>
internal sealed class LocalListener(DaemonOptions options) : IHostedLifecycleService
{
    private bool _bound;

    public void Listen(KestrelServerOptions kestrel) =>
        kestrel.ListenUnixSocket(options.Socket, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.Use(next => connection =>
            {
                connection.Features.Set(ListenerFeature.Local);
                return next(connection);
            });
        });

    public void ConfigureTransport(SocketTransportOptions transport) => transport.CreateBoundListenSocket = Bind;

    /// <summary>Takes the socket's file away once the server has closed it.</summary>
    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        if (_bound)
        {
            File.Delete(options.Socket);
        }

        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private Socket Bind(EndPoint endpoint)
    {
        if (endpoint is not UnixDomainSocketEndPoint)
        {
            return SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        }

        var socket = LocalSocket.Bind(options.Socket, options.SocketGroup);
        _bound = true;
        return socket;
    }
}
