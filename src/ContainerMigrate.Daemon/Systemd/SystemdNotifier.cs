using System.Net.Sockets;
using System.Text;

namespace ContainerMigrate.Daemon.Systemd;

/// <summary>Tells systemd how the service is: sd_notify(3), one datagram each to the socket named by <c>NOTIFY_SOCKET</c>.</summary>
internal sealed class SystemdNotifier
{
    private readonly EndPointOrNone _target;

    /// <param name="socket">Value of <c>NOTIFY_SOCKET</c>; null or empty when not run by systemd: then nothing is sent.</param>
    public SystemdNotifier(string? socket) => _target = new EndPointOrNone(socket);

    public void Send(string state)
    {
        if (_target.EndPoint is null)
        {
            return;
        }

        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        try
        {
            socket.SendTo(Encoding.UTF8.GetBytes(state), _target.EndPoint);
        }
        catch (SocketException)
        {
            // systemd notices by its own timeouts; there is nothing better to do about it here.
        }
    }

    private sealed class EndPointOrNone(string? socket)
    {
        /// <summary>A name that starts with @ is in the abstract namespace: a zero byte in its place (unix(7)).</summary>
        public UnixDomainSocketEndPoint? EndPoint { get; } = string.IsNullOrEmpty(socket)
            ? null
            : new UnixDomainSocketEndPoint(socket[0] == '@' ? '\0' + socket[1..] : socket);
    }
}
