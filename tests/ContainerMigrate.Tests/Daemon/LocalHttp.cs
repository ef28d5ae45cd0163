using System.Net.Sockets;

namespace ContainerMigrate.Tests.Daemon;

internal static class LocalHttp
{
    /// <summary>A client that speaks to a unix socket.</summary>
    public static HttpClient Connect(string socketPath) =>
        new(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        })
        {
            BaseAddress = new Uri("http://ctmigrated/"),
        };
}
