using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Threading.RateLimiting;
using ContainerMigrate.Daemon.Configuration;
using Microsoft.AspNetCore.Http.Features;

namespace ContainerMigrate.Daemon.Peers.Pairing;

/// <summary>
/// The two requests that a host may make which nothing is known about: <c>POST /peer/v1/pair/open</c> and
/// <c>/prove</c>. Stands before authentication, so it takes little, slowly.
/// </summary>
internal sealed class PairingEndpoints(PairingDesk desk, DaemonOptions options) : IMiddleware, IDisposable
{
    private const string OpenPath = "/peer/v1/pair/open";
    private const string ProvePath = "/peer/v1/pair/prove";
    private const int MaxBodyBytes = 4096;

    private static readonly TimeSpan BodyLimit = TimeSpan.FromSeconds(5);

    private readonly TokenBucketRateLimiter _limit = new(new TokenBucketRateLimiterOptions
    {
        TokenLimit = 20,
        TokensPerPeriod = 1,
        ReplenishmentPeriod = TimeSpan.FromSeconds(2),
    });

    public Task InvokeAsync(HttpContext context, RequestDelegate next) =>
        !HttpMethods.IsPost(context.Request.Method) ? next(context)
        : context.Request.Path == OpenPath ? AnswerAsync(context, PairingJson.Default.PairOpenRequest, Open)
        : context.Request.Path == ProvePath ? AnswerAsync(context, PairingJson.Default.PairProveRequest, Prove)
        : next(context);

    public void Dispose() => _limit.Dispose();

    private async Task AnswerAsync<TRequest>(HttpContext context, JsonTypeInfo<TRequest> requestType, Func<HttpContext, TRequest, Answer> answer)
        where TRequest : class
    {
        using var lease = _limit.AttemptAcquire();
        var result = lease.IsAcquired
            ? await ReadAsync(context, requestType) is { } request ? answer(context, request) : new Answer(PairRefusal.Malformed)
            : new Answer(PairRefusal.Busy);

        context.Response.StatusCode = result.Refusal switch
        {
            null => StatusCodes.Status200OK,
            PairRefusal.Malformed => StatusCodes.Status400BadRequest,
            PairRefusal.Busy => StatusCodes.Status429TooManyRequests,
            _ => StatusCodes.Status409Conflict,
        };
        if (result.Refusal is not null)
        {
            context.Response.Headers.Connection = "close";
        }

        await context.Response.WriteAsJsonAsync(result.Body, result.BodyType, contentType: null, context.RequestAborted);
    }

    private static async Task<TRequest?> ReadAsync<TRequest>(HttpContext context, JsonTypeInfo<TRequest> requestType)
        where TRequest : class
    {
        context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = MaxBodyBytes;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        limit.CancelAfter(BodyLimit);
        try
        {
            return await JsonSerializer.DeserializeAsync(context.Request.Body, requestType, limit.Token);
        }
        catch (Exception e) when (e is JsonException or IOException or OperationCanceledException)
        {
            return null;
        }
    }

    private Answer Open(HttpContext context, PairOpenRequest request) =>
        !HostNames.IsValid(request.Name) ? new Answer(PairRefusal.Malformed)
        : desk.Open(request.Name, request.ShowCode) is { } nonce ? new Answer(new PairOpenReply(options.HostName, Convert.ToHexString(nonce)), PairingJson.Default.PairOpenReply)
        : new Answer(PairRefusal.NoCode);

    private Answer Prove(HttpContext context, PairProveRequest request)
    {
        var (reply, refusal) = desk.Prove(request, context.Features.GetRequiredFeature<PeerCertificate>().Fingerprint, context.Connection.RemoteIpAddress!);
        return refusal is null ? new Answer(reply!, PairingJson.Default.PairProveReply) : new Answer(refusal.Value);
    }

    private sealed record Answer(object Body, JsonTypeInfo BodyType, PairRefusal? Refusal = null)
    {
        public Answer(PairRefusal refusal)
            : this(new PairRefused(refusal), PairingJson.Default.PairRefused, refusal)
        {
        }
    }
}
