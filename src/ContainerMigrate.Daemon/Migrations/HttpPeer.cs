using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ContainerMigrate.Api;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>The destination's peer API, called over mutual TLS.</summary>
/// <param name="name">Its name in the list of hosts.</param>
/// <param name="client">Authenticated and pinned to this peer; its base address is the peer's. Not disposed here.</param>
internal sealed class HttpPeer(string name, HttpClient client) : IPeer
{
    private const int MaxReplyBytes = 4 << 20;
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(30);

    // Prepare and GO last as long as the restore does; the caller's own limits end them earlier.
    private static readonly TimeSpan RestoreTimeout = TimeSpan.FromMinutes(10);

    // It reads all that it has kept.
    private static readonly TimeSpan ListingTimeout = TimeSpan.FromHours(1);

    public string Name => name;

    public Task<PeerCheckReply> CheckAsync(PeerCheckRequest request, CancellationToken cancellationToken) =>
        PostAsync("/peer/v1/check", request, PeerJson.Default.PeerCheckRequest, PeerJson.Default.PeerCheckReply, AnswerTimeout, cancellationToken);

    public Task<ReserveReply> ReserveAsync(ReserveRequest request, CancellationToken cancellationToken) =>
        PostAsync("/peer/v1/migrations", request, PeerJson.Default.ReserveRequest, PeerJson.Default.ReserveReply, AnswerTimeout, cancellationToken);

    public Task<PrepareReply> PrepareAsync(string migrationId, PrepareRequest request, CancellationToken cancellationToken) =>
        PostAsync(PathOf(migrationId, "prepare"), request, PeerJson.Default.PrepareRequest, PeerJson.Default.PrepareReply, RestoreTimeout, cancellationToken);

    public Task<PeerState> GoAsync(string migrationId, GoRequest request, CancellationToken cancellationToken) =>
        PostAsync(PathOf(migrationId, "go"), request, PeerJson.Default.GoRequest, PeerJson.Default.PeerState, RestoreTimeout, cancellationToken);

    public Task<PeerState> AbortAsync(string migrationId, AbortRequest request, CancellationToken cancellationToken) =>
        PostAsync(PathOf(migrationId, "abort"), request, PeerJson.Default.AbortRequest, PeerJson.Default.PeerState, AnswerTimeout, cancellationToken);

    public Task<PeerState> FinishAsync(string migrationId, CancellationToken cancellationToken) =>
        ExchangeAsync(new HttpRequestMessage(HttpMethod.Post, PathOf(migrationId, "finish")), PeerJson.Default.PeerState, AnswerTimeout, cancellationToken);

    public Task<PeerState> SettleAsync(string migrationId, CancellationToken cancellationToken) =>
        ExchangeAsync(new HttpRequestMessage(HttpMethod.Post, PathOf(migrationId, "settle")), PeerJson.Default.PeerState, RestoreTimeout, cancellationToken);

    public Task<PeerState> GetStateAsync(string migrationId, CancellationToken cancellationToken) =>
        ExchangeAsync(new HttpRequestMessage(HttpMethod.Get, $"/peer/v1/migrations/{migrationId}"), PeerJson.Default.PeerState, AnswerTimeout, cancellationToken);

    /// <summary>Has it move back a container that went there by this migration; answers when that has ended, in whatever way.</summary>
    public Task<MigrationStatus> ReturnAsync(string migrationId, CancellationToken cancellationToken) =>
        ExchangeAsync(new HttpRequestMessage(HttpMethod.Post, PathOf(migrationId, "return")), ApiJson.Default.MigrationStatus, Timeout.InfiniteTimeSpan, cancellationToken);

    /// <summary>What it has recorded of a migration, whichever part it has in it.</summary>
    public Task<PeerJournal> GetJournalAsync(string migrationId, CancellationToken cancellationToken) =>
        ExchangeAsync(new HttpRequestMessage(HttpMethod.Get, PathOf(migrationId, "journal")), PeerJson.Default.PeerJournal, AnswerTimeout, cancellationToken);

    public async Task<StreamReply> SendAsync(string migrationId, BulkTransfer stream, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        var content = new ProducedContent(write, cancellationToken);
        var request = new HttpRequestMessage(HttpMethod.Post, PathOf(migrationId, stream.ToString().ToLowerInvariant())) { Content = content };
        try
        {
            return await ExchangeAsync(request, PeerJson.Default.StreamReply, Timeout.InfiniteTimeSpan, cancellationToken);
        }
        catch (PeerUnreachableException) when (content.ProducerFailure is { } failure)
        {
            // Blame the sender: the connection broke because what was to be sent could not be read.
            throw failure is MigrationException ? failure : new MigrationException(MigrationFailure.OfTransfer("", failure), failure);
        }
        catch (PeerUnreachableException)
        {
            // A receiver that gives up in the middle of a stream is seen as a broken connection; it remembers why.
            var state = await GetStateAsync(migrationId, cancellationToken);
            throw new MigrationException(state.Failure ?? new MigrationFailure(name, "transfer", "it ended the connection in the middle of the transfer", "its log says more: /var/log/ctmigrate/ctmigrated.log"));
        }
    }

    public Task ReadKeptAsync(string migrationId, int tree, Func<Stream, CancellationToken, Task> read, CancellationToken cancellationToken) =>
        ExchangeAsync(new HttpRequestMessage(HttpMethod.Get, PathOf(migrationId, FormattableString.Invariant($"kept/{tree}"))), async (response, token) =>
        {
            await using var content = await response.Content.ReadAsStreamAsync(token);
            try
            {
                await read(content, token);
            }
            catch (InvalidDataException e)
            {
                throw new MigrationException(new MigrationFailure(name, "protocol", e.Message), e);
            }

            return true;
        }, ListingTimeout, cancellationToken);

    private static string PathOf(string migrationId, string verb) => $"/peer/v1/migrations/{migrationId}/{verb}";

    private Task<TReply> PostAsync<TRequest, TReply>(
        string path, TRequest body, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TReply> replyType, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, requestType));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return ExchangeAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = content }, replyType, timeout, cancellationToken);
    }

    private Task<TReply> ExchangeAsync<TReply>(HttpRequestMessage request, JsonTypeInfo<TReply> replyType, TimeSpan timeout, CancellationToken cancellationToken) =>
        ExchangeAsync(request, async (response, token) => JsonSerializer.Deserialize(await ReadBoundedAsync(response.Content, token), replyType) ?? throw new JsonException("the answer is null"), timeout, cancellationToken);

    private async Task<TReply> ExchangeAsync<TReply>(HttpRequestMessage request, Func<HttpResponseMessage, CancellationToken, Task<TReply>> read, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var owned = request;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        try
        {
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (response.StatusCode == HttpStatusCode.Forbidden)
            {
                throw new MigrationException(new MigrationFailure(name, "connect", "it does not know this host", $"pair again: `ctmigrate hosts pair {name}`"));
            }

            if (!response.IsSuccessStatusCode)
            {
                throw new MigrationException(ReadFailure(name, await ReadBoundedAsync(response.Content, limit.Token), response.StatusCode));
            }

            return await read(response, limit.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new PeerUnreachableException(name, $"no answer within {timeout.TotalSeconds:0} s", e);
        }
        catch (HttpRequestException e)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new PeerUnreachableException(name, Innermost(e), e);
        }
        catch (IOException e)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new PeerUnreachableException(name, Innermost(e), e);
        }
        catch (JsonException e)
        {
            throw new MigrationException(new MigrationFailure(name, "protocol", $"its answer cannot be read: {e.Message}", "both hosts need the same version of ContainerMigrate"));
        }
    }

    internal static MigrationFailure ReadFailure(string name, byte[] body, HttpStatusCode status)
    {
        try
        {
            if (JsonSerializer.Deserialize(body, PeerJson.Default.PeerError) is { } error)
            {
                return error.Failure with { Host = error.Failure.Host.Length == 0 ? name : error.Failure.Host };
            }
        }
        catch (JsonException)
        {
            // Not one of our answers; its status has to do.
        }

        return new MigrationFailure(name, "protocol", $"it answered {(int)status}", "its log says more: /var/log/ctmigrate/ctmigrated.log");
    }

    internal static async Task<byte[]> ReadBoundedAsync(HttpContent content, CancellationToken cancellationToken)
    {
        await using var stream = await content.ReadAsStreamAsync(cancellationToken);
        using var buffer = new MemoryStream();
        var chunk = new byte[16 << 10];
        int read;
        while ((read = await stream.ReadAsync(chunk, cancellationToken)) > 0)
        {
            if (buffer.Length + read > MaxReplyBytes)
            {
                throw new JsonException($"it is longer than {MaxReplyBytes} bytes");
            }

            buffer.Write(chunk, 0, read);
        }

        return buffer.ToArray();
    }

    internal static string Innermost(Exception e)
    {
        while (e.InnerException is { } inner)
        {
            e = inner;
        }

        return e.Message;
    }

    /// <summary>A request body that is written by a callback straight into the connection.</summary>
    private sealed class ProducedContent(Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken) : HttpContent
    {
        public Exception? ProducerFailure { get; private set; }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => ProduceAsync(stream, cancellationToken);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken token)
        {
            using var both = CancellationTokenSource.CreateLinkedTokenSource(token, cancellationToken);
            await ProduceAsync(stream, both.Token);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }

        private async Task ProduceAsync(Stream stream, CancellationToken token)
        {
            await using var wire = new WireStream(stream);
            try
            {
                await write(wire, token);
            }
            catch (Exception e) when (e is not OperationCanceledException && !wire.IsBroken)
            {
                ProducerFailure = e;
                throw new IOException(e.Message, e);
            }
        }
    }
}
