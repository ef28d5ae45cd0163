using System.Net.Sockets;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>What every TCP connection between daemons is set to.</summary>
internal static class PeerSockets
{
    private const int TcpUserTimeout = 18; // TCP_USER_TIMEOUT of linux/tcp.h, in milliseconds

    /// <summary>
    /// Control messages leave at once, and a peer whose host or link has died is noticed after about 25 s of silence: by a side that
    /// only waits, and by one whose data nobody acknowledges, which the kernel would send again for a quarter of an hour.
    /// </summary>
    public static void Configure(Socket socket)
    {
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, optionValue: true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 10);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 5);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
        socket.SetRawSocketOption((int)SocketOptionLevel.Tcp, TcpUserTimeout, BitConverter.GetBytes(25_000));
    }
}
