using System.Net.Sockets;
using System.Security.Authentication;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>Says in words an operator can act on why a request to a peer did not work.</summary>
internal static class PeerFailures
{
    /// <summary>Whether the exception is one that a request to a peer throws when the peer or the way to it is at fault.</summary>
    public static bool IsPeerFailure(Exception exception) =>
        exception is HttpRequestException or IOException or SocketException or AuthenticationException or OperationCanceledException or PeerCertificateException;

    /// <summary>The cause, one line, beginning in lower case; and the next step.</summary>
    public static (string Cause, string? NextStep) Describe(Exception exception, PeerAddress address)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case PeerCertificateException changed:
                    return (changed.Message, "if the host was installed anew: ctmigrate hosts remove it and pair again; otherwise somebody else answers at its address");
                case SocketException { SocketErrorCode: SocketError.ConnectionRefused }:
                    return ($"nothing listens at {address}", "is ctmigrated running there, and is peer_port the same?");
                case SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain }:
                    return ($"the name {address.Host} is not known", "check DNS or /etc/hosts, or pair by address");
                case SocketException { SocketErrorCode: SocketError.HostUnreachable or SocketError.NetworkUnreachable }:
                    return ($"there is no way to {address}", "check the network between the hosts");
                case SocketException socket:
                    return ($"{address}: {socket.Message}", null);
                case HttpRequestException { StatusCode: System.Net.HttpStatusCode.Forbidden }:
                    return ($"{address} does not know this host", "pair the two hosts again: ctmigrate hosts pair");
                case AuthenticationException:
                    return ($"{address} does not speak TLS as a ctmigrated does: {e.Message}", "is it a ctmigrated that listens there?");
                case OperationCanceledException:
                    return ($"{address} did not answer in time", "is the host up, and does a firewall let TCP through to that port?");
            }
        }

        return ($"{address}: {exception.Message}", null);
    }
}
