namespace ContainerMigrate.Daemon.Peers;

/// <summary><c>GET /peer/v1/hello</c>: what a paired host says of itself.</summary>
/// <param name="Protocol">Version of the peer API.</param>
/// <param name="Capabilities">What it can do beyond the first version.</param>
/// <param name="ReceivedAt">Its clock when the request came.</param>
/// <param name="SentAt">Its clock when the answer left.</param>
internal sealed record PeerHello(
    string Name,
    string Version,
    int Protocol,
    IReadOnlyList<string> Capabilities,
    DateTimeOffset ReceivedAt,
    DateTimeOffset SentAt)
{
    public const int CurrentProtocol = 1;
}
