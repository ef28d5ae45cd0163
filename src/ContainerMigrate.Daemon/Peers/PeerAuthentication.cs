using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Features;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>
/// Lets paired hosts through and turns everybody else away with 403 and nothing more, whatever they ask for: what exists
/// behind it cannot be told apart from what does not.
/// </summary>
internal sealed partial class PeerAuthentication(PeerDirectory peers, ILogger<PeerAuthentication> logger) : IMiddleware, IDisposable
{
    /// <summary>So that strangers cannot fill the log.</summary>
    private readonly TokenBucketRateLimiter _logLimit = new(new TokenBucketRateLimiterOptions
    {
        TokenLimit = 10,
        TokensPerPeriod = 1,
        ReplenishmentPeriod = TimeSpan.FromSeconds(10),
    });

    public Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var fingerprint = context.Features.GetRequiredFeature<PeerCertificate>().Fingerprint;
        if (peers.FindByFingerprint(fingerprint) is { } peer)
        {
            context.Features.Set(new PeerIdentity(peer.Name, peer.Fingerprint));
            return next(context);
        }

        using var lease = _logLimit.AttemptAcquire();
        if (lease.IsAcquired)
        {
            LogStranger(context.Connection.RemoteIpAddress, fingerprint);
        }

        context.Response.StatusCode = StatusCodes.Status403Forbidden;
        context.Response.Headers.Connection = "close";
        return Task.CompletedTask;
    }

    public void Dispose() => _logLimit.Dispose();

    [LoggerMessage(Level = LogLevel.Warning, Message = "Turned away a host that is not paired: {Address}, certificate {Fingerprint}")]
    private partial void LogStranger(System.Net.IPAddress? address, string fingerprint);
}
