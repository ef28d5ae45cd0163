using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ContainerMigrate.Api;
using ContainerMigrate.Daemon.Logging;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>The peer API of migrations: JSON control messages, and bulk streams as request bodies.</summary>
internal static partial class MigrationPeerEndpoints
{
    /// <summary>A manifest carries a container's whole configuration, a seccomp profile with it.</summary>
    private const long MaxControlBytes = 4 << 20;

    private const string Root = "/peer/v1/migrations";

    public static void Map(IEndpointRouteBuilder peerApi)
    {
        Control(peerApi, "/peer/v1/check", PeerJson.Default.PeerCheckRequest, PeerJson.Default.PeerCheckReply, (m, c, request, token) => m.CheckAsync(request, PeerOf(c), token));
        Control(peerApi, Root, PeerJson.Default.ReserveRequest, PeerJson.Default.ReserveReply, (m, c, request, token) => m.ReserveAsync(request, PeerOf(c), token));
        Control(peerApi, Root + "/{id}/prepare", PeerJson.Default.PrepareRequest, PeerJson.Default.PrepareReply, (m, c, request, token) => m.Get(Id(c), PeerOf(c)).PrepareAsync(request, token));
        // GO and abort are carried out whatever becomes of the connection: the source will ask again.
        Control(peerApi, Root + "/{id}/go", PeerJson.Default.GoRequest, PeerJson.Default.PeerState, (m, c, request, _) => m.GoAsync(Id(c), PeerOf(c), request, CancellationToken.None));
        Control(peerApi, Root + "/{id}/abort", PeerJson.Default.AbortRequest, PeerJson.Default.PeerState, (m, c, request, _) => m.AbortAsync(Id(c), PeerOf(c), request));
        peerApi.MapPost(Root + "/{id}/finish", (RequestDelegate)(c => AnswerAsync(c, async m => await Write(c, await m.FinishAsync(Id(c), PeerOf(c)), PeerJson.Default.PeerState))));
        peerApi.MapPost(Root + "/{id}/settle", (RequestDelegate)(c => AnswerAsync(c, async m => await Write(c, await m.SettleAsync(Id(c), PeerOf(c), c.RequestAborted), PeerJson.Default.PeerState))));
        peerApi.MapGet(Root + "/{id}", (RequestDelegate)(c => AnswerAsync(c, m => Write(c, m.State(Id(c), PeerOf(c)), PeerJson.Default.PeerState))));
        peerApi.MapGet(Root + "/{id}/journal", (RequestDelegate)(c => AnswerAsync(c, m =>
            Write(c, MigrationResolution.DescribeTo(PeerOf(c), Id(c), c.RequestServices.GetRequiredService<MigrationEnvironment>(), m), PeerJson.Default.PeerJournal))));
        Bulk(peerApi, BulkTransfer.Probe, (m, stream, token) => m.ReceiveProbeAsync(stream, token));
        Bulk(peerApi, BulkTransfer.Image, (m, stream, token) => m.ReceiveImageAsync(stream, token));
        Bulk(peerApi, BulkTransfer.Files, (m, stream, token) => m.ReceiveFilesAsync(stream, token));
        Bulk(peerApi, BulkTransfer.Layer, (m, stream, token) => m.ReceiveLayerAsync(stream, token));
        Bulk(peerApi, BulkTransfer.Log, (m, stream, token) => m.ReceiveLogAsync(stream, token));
        Bulk(peerApi, BulkTransfer.Memory, (m, stream, token) => m.ReceiveMemoryAsync(stream, token));
        Bulk(peerApi, BulkTransfer.Pages, (m, stream, token) => m.ReceivePagesAsync(stream, token));
        Bulk(peerApi, BulkTransfer.Checkpoint, (m, stream, token) => m.ReceiveCheckpointAsync(stream, token));
        Bulk(peerApi, BulkTransfer.Packets, (m, stream, token) => m.ReceivePacketsAsync(stream, token));
        peerApi.MapPost(Root + "/{id}/return", (RequestDelegate)(c => AnswerAsync(c, async _ =>
            await Write(c, await c.RequestServices.GetRequiredService<Evacuations>().SendBackAsync(Id(c), PeerOf(c), c.RequestAborted), ApiJson.Default.MigrationStatus))));
        peerApi.MapGet(Root + "/{id}/kept/{tree:int:min(0)}", (RequestDelegate)(c => AnswerAsync(c, m =>
        {
            var migration = m.Get(Id(c), PeerOf(c));
            c.Response.ContentType = "application/octet-stream";
            return migration.DescribeKeptAsync(int.Parse((string)c.GetRouteValue("tree")!, CultureInfo.InvariantCulture), c.Response.Body, c.RequestAborted);
        })));
        Fetch(peerApi, HttpSourcePeer.FetchVerb, urgent: false);
        Fetch(peerApi, HttpSourcePeer.UrgentVerb, urgent: true);
    }

    private static string Id(HttpContext context) => (string)context.GetRouteValue("id")!;

    private static string PeerOf(HttpContext context) => context.GetPeer().Name;

    private static void Control<TRequest, TReply>(
        IEndpointRouteBuilder peerApi, string path, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TReply> replyType,
        Func<PeerMigrations, HttpContext, TRequest, CancellationToken, Task<TReply>> handle) =>
        peerApi.MapPost(path, (RequestDelegate)(context => AnswerAsync(context, async migrations =>
        {
            var request = await JsonSerializer.DeserializeAsync(context.Request.Body, requestType, context.RequestAborted)
                          ?? throw new JsonException("the request is null");
            await Write(context, await handle(migrations, context, request, context.RequestAborted), replyType);
        }))).WithBodyUpTo(MaxControlBytes);

    // What a stream may bring is bounded by the reservation, and checked while it arrives.
    private static void Bulk(IEndpointRouteBuilder peerApi, BulkTransfer kind, Func<TargetMigration, Stream, CancellationToken, Task<StreamReply>> receive) =>
        peerApi.MapPost($"{Root}/{{id}}/{kind.ToString().ToLowerInvariant()}", (RequestDelegate)(context => AnswerAsync(context, async migrations =>
        {
            var migration = migrations.Get(Id(context), PeerOf(context));
            StreamReply reply;
            try
            {
                reply = await receive(migration, context.Request.Body, context.RequestAborted);
            }
            catch when (migration.State().Failure is not null)
            {
                // The sender reads no answer before it has sent everything, and is read from for seconds more. A broken connection it notices
                // at once, in the pause too, and asks why.
                context.Abort();
                throw;
            }

            await Write(context, reply, PeerJson.Default.StreamReply);
        }))).WithStreamBody();

    // The one request that a destination makes of a source. What it asks for is checked before a byte of the answer goes.
    private static void Fetch(IEndpointRouteBuilder peerApi, string verb, bool urgent) =>
        peerApi.MapPost($"{Root}/{{id}}/{verb}", (RequestDelegate)(context => AnswerAsync(context, _ =>
        {
            var environment = context.RequestServices.GetRequiredService<MigrationEnvironment>();
            var memory = environment.Remaining.Find(Id(context), PeerOf(context)) ?? throw new MigrationException("memory", "no memory of this migration is kept here, or not yet again");
            context.Response.ContentType = "application/octet-stream";
            return AnswerUntilStoppedAsync(context, token => memory.AnswerAsync(context.Request.Body, context.Response.Body, urgent, token));
        }))).WithStreamBody();

    // It lasts as long as memory is missing; a restarted daemon is asked again.
    private static async Task AnswerUntilStoppedAsync(HttpContext context, Func<CancellationToken, Task> answer)
    {
        var stopping = context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        try
        {
            await answer(end.Token);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            context.Abort();
        }
    }

    private static async Task AnswerAsync(HttpContext context, Func<PeerMigrations, Task> handle)
    {
        var logger = context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("peer");
        using var scope = context.GetRouteValue("id") is string id ? logger.BeginMigration(id) : null;
        var environment = context.RequestServices.GetRequiredService<MigrationEnvironment>();
        try
        {
            await handle(context.RequestServices.GetRequiredService<PeerMigrations>());
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            throw new MigrationException(new MigrationFailure(environment.HostName, "transfer", "this migration was aborted"));
        }
        catch (MigrationException e) when (e.Failure.Host.Length == 0)
        {
            throw new MigrationException(e.Failure with { Host = environment.HostName }, e);
        }
        catch (Exception e) when (e is JsonException or InvalidDataException)
        {
            throw new MigrationException(new MigrationFailure(environment.HostName, "protocol", e.Message), e);
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or UnauthorizedAccessException && !context.RequestAborted.IsCancellationRequested)
        {
            LogFailed(logger, e, PeerOf(context), context.Request.Path);
            throw new MigrationException(MigrationFailure.OfTransfer(environment.HostName, e), e);
        }
    }

    private static async Task Write<T>(HttpContext context, T body, JsonTypeInfo<T> type)
    {
        context.Response.ContentType = "application/json";
        await JsonSerializer.SerializeAsync(context.Response.Body, body, type, CancellationToken.None);
    }

    [LoggerMessage(LogLevel.Error, "request {Path} of {Peer} failed")]
    private static partial void LogFailed(ILogger logger, Exception exception, string peer, string path);
}
