using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using ContainerMigrate.Daemon.Identity;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>
/// HTTP clients for paired hosts: mutual TLS with the peer's certificate pinned, any number of connections at a time,
/// no proxy, no redirects, no cookies. Thread-safe.
/// </summary>
internal sealed class PeerHttpClientFactory : IDisposable
{
    private static readonly Uri BaseAddress = new("https://ctmigrated/");

    private readonly DaemonIdentity _identity;
    private readonly PeerDirectory _peers;
    private readonly ConcurrentDictionary<Peer, Lazy<HttpClient>> _clients = new();

    public PeerHttpClientFactory(DaemonIdentity identity, PeerDirectory peers)
    {
        _identity = identity;
        _peers = peers;
        _peers.Retired += OnRetired;
    }

    /// <summary>
    /// The one client for this peer; do not dispose it. Requests are paths (<c>/peer/v1/hello</c>) and have no time limit
    /// of their own: give each a cancellation token that has one. Once the peer is removed its requests fail.
    /// </summary>
    public HttpClient GetClient(Peer peer) => _clients.GetOrAdd(peer, p => new Lazy<HttpClient>(() => Create(p))).Value;

    public void Dispose()
    {
        _peers.Retired -= OnRetired;
        foreach (var peer in _clients.Keys)
        {
            Retire(peer);
        }
    }

    /// <param name="address">The peer listens there.</param>
    /// <param name="identity">Ours.</param>
    /// <param name="accept">Looks at the fingerprint of each new connection's other end; what it throws ends the connection.</param>
    internal static HttpClient Create(PeerAddress address, DaemonIdentity identity, Action<string> accept) =>
        new(new SocketsHttpHandler
        {
            SslOptions = PeerTls.ForClient(identity, certificate =>
            {
                accept(Fingerprint.Of(certificate));
                return true;
            }),
            ConnectCallback = (_, cancellationToken) => ConnectAsync(address, cancellationToken),
            // With the handshake, for which the other side takes as long (PeerListener): a busy host needs seconds for it.
            ConnectTimeout = TimeSpan.FromSeconds(10),
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
            AutomaticDecompression = DecompressionMethods.None,
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            MaxResponseHeadersLength = 16,
            ActivityHeadersPropagator = null,
        })
        {
            BaseAddress = BaseAddress,

            // Of answers that are read as a whole; streams are not concerned.
            MaxResponseContentBufferSize = 4 << 20,
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestVersion = HttpVersion.Version11,
        };

    private HttpClient Create(Peer peer) => Create(peer.Address, _identity, fingerprint =>
    {
        if (!string.Equals(fingerprint, peer.Fingerprint, StringComparison.Ordinal))
        {
            throw new PeerCertificateException(peer, fingerprint);
        }

        if (_peers.FindByFingerprint(fingerprint) is null)
        {
            throw new IOException($"{peer.Name} is no longer paired with this host");
        }
    });

    private static async ValueTask<Stream> ConnectAsync(PeerAddress address, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            PeerSockets.Configure(socket);
            await socket.ConnectAsync(new DnsEndPoint(address.Host, address.Port), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private void OnRetired(object? sender, PeerEventArgs e) => Retire(e.Peer);

    private void Retire(Peer peer)
    {
        if (_clients.TryRemove(peer, out var client) && client.IsValueCreated)
        {
            client.Value.Dispose();
        }
    }
}
