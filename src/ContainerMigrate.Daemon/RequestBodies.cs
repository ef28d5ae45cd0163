using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace ContainerMigrate.Daemon;

/// <summary>How much an endpoint takes. Without any of these: <see cref="DefaultMaxBytes"/>.</summary>
internal static class RequestBodies
{
    public const long DefaultMaxBytes = 64 * 1024;

    /// <summary>A control message that may be larger than the default.</summary>
    public static TBuilder WithBodyUpTo<TBuilder>(this TBuilder endpoint, long maxBytes)
        where TBuilder : IEndpointConventionBuilder =>
        endpoint.WithMetadata(new BodySize(maxBytes));

    /// <summary>
    /// Bulk data, in the request or the answer: of any length, at any speed, with pauses. The endpoint itself bounds how
    /// long it waits; a dead peer is noticed by TCP keepalive.
    /// </summary>
    public static TBuilder WithStreamBody<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder =>
        endpoint.WithMetadata(new BodySize(null), StreamBody.Instance);

    /// <summary>Middleware, after routing: takes the minimum data rates off streams. Routing itself applies the sizes.</summary>
    public static Task ApplyDataRate(HttpContext context, RequestDelegate next)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<StreamBody>() is not null)
        {
            context.Features.GetRequiredFeature<IHttpMinRequestBodyDataRateFeature>().MinDataRate = null;
            context.Features.GetRequiredFeature<IHttpMinResponseDataRateFeature>().MinDataRate = null;
        }

        return next(context);
    }

    private sealed record BodySize(long? MaxRequestBodySize) : IRequestSizeLimitMetadata;

    private sealed class StreamBody
    {
        public static readonly StreamBody Instance = new();
    }
}
