using System.Net;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>The source's peer API, for memory that has stayed behind.</summary>
/// <param name="name">Its name in the list of hosts.</param>
/// <param name="client">Authenticated and pinned to this peer. Not disposed here.</param>
internal sealed class HttpSourcePeer(string name, HttpClient client) : ISourcePeer
{
    public const string FetchVerb = "fetch";

    public const string UrgentVerb = "fetch-urgently";

    /// <summary>A link that is silent for so long is taken for cut: TCP itself finds out after 25 s.</summary>
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(5);

    public async Task GreetAsync(CancellationToken cancellationToken)
    {
        using var silence = new Silence(cancellationToken);
        await ExchangeAsync(new HttpRequestMessage(HttpMethod.Get, "/peer/v1/hello"), async response => await HttpPeer.ReadBoundedAsync(response.Content, silence.Token), silence, cancellationToken);
    }

    public async Task FetchAsync(string migrationId, IReadOnlyList<PageRequest> requests, bool urgent, IPageSink sink, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        await using (var writer = new PageStreamWriter(body, cancellationToken))
        {
            foreach (var (processId, range) in requests)
            {
                await writer.MissAsync(processId, range);
            }

            await writer.CompleteAsync();
        }

        using var silence = new Silence(cancellationToken);
        var request = new HttpRequestMessage(HttpMethod.Post, $"/peer/v1/migrations/{migrationId}/{(urgent ? UrgentVerb : FetchVerb)}") { Content = new ByteArrayContent(body.ToArray()) };
        await ExchangeAsync(request, async response =>
        {
            await using var content = await response.Content.ReadAsStreamAsync(silence.Token);
            await PageStreamReader.ReadAsync(new HeardStream(content, silence), sink, silence.Token);
            // To the end, so that the connection serves the next request.
            if (await content.ReadAsync(new byte[1], silence.Token) > 0)
            {
                throw new InvalidDataException("its answer goes on behind its end");
            }
        }, silence, cancellationToken);
    }

    private async Task ExchangeAsync(HttpRequestMessage request, Func<HttpResponseMessage, Task> read, Silence silence, CancellationToken cancellationToken)
    {
        using var owned = request;
        try
        {
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, silence.Token);
            silence.Broken();
            if (response.StatusCode == HttpStatusCode.Forbidden)
            {
                throw new MigrationException(new MigrationFailure(name, "connect", "it does not know this host", $"pair again: `ctmigrate hosts pair {name}`"));
            }

            if (!response.IsSuccessStatusCode)
            {
                throw new MigrationException(HttpPeer.ReadFailure(name, await HttpPeer.ReadBoundedAsync(response.Content, silence.Token), response.StatusCode));
            }

            await read(response);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new PeerUnreachableException(name, $"nothing was heard for {LongestSilence.TotalSeconds:0} s", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new PeerUnreachableException(name, HttpPeer.Innermost(e), e);
        }
    }

    /// <summary>Ends what waits when nothing has been heard for too long.</summary>
    private sealed class Silence : IDisposable
    {
        private readonly CancellationTokenSource _limit;

        internal Silence(CancellationToken cancellationToken)
        {
            _limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Broken();
        }

        internal CancellationToken Token => _limit.Token;

        internal void Broken() => _limit.CancelAfter(LongestSilence);

        public void Dispose() => _limit.Dispose();
    }

    private sealed class HeardStream(Stream inner, Silence silence) : ReadOnlyStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = await inner.ReadAsync(buffer, cancellationToken);
            silence.Broken();
            return count;
        }
    }
}

/// <summary>Paired hosts as sources.</summary>
internal sealed class HttpSourcePeers(PeerDirectory peers, PeerHttpClientFactory clients) : ISourcePeers
{
    public ISourcePeer? Find(string name) => peers.FindByName(name) is { } peer ? new HttpSourcePeer(peer.Name, clients.GetClient(peer)) : null;
}
