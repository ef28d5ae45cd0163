using ContainerMigrate.Api;
using ContainerMigrate.Daemon;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Migration;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.DependencyInjection;

namespace ContainerMigrate.Tests.Daemon;

/// <summary>Endpoints that show what the daemon gives to the endpoints of a module.</summary>
internal sealed class EchoModule : IDaemonModule
{
    public IReadOnlyList<string> PeerCapabilities => ["echo"];

    public void AddServices(IServiceCollection services, DaemonOptions options) => services.AddSingleton<IPeerUse>(new Use());

    public void MapLocalApi(IEndpointRouteBuilder localApi)
    {
        localApi.MapGet("/v1/test/fail/{how}", (RequestDelegate)(context => throw (string?)context.GetRouteValue("how") switch
        {
            "api" => ApiException.NotFound("no such thing"),
            "migration" => new MigrationException(new MigrationFailure("h1", "dump", "criu failed", "look there")),
            _ => new InvalidOperationException("a defect"),
        }));
        localApi.MapGet("/v1/test/status", () => new MigrationStatus
        {
            Id = "m1", Role = "source", Container = "web", Runtime = "docker", Source = "h1", Destination = "h2", Phase = MigrationPhase.Frozen,
        });
        localApi.MapPost("/v1/test/check", (CheckReport report) => report);
    }

    public void MapPeerApi(IEndpointRouteBuilder peerApi)
    {
        peerApi.MapGet("/peer/v1/test/who", (RequestDelegate)(context =>
            context.Response.WriteAsync($"{context.GetPeer().Name} {context.GetPeer().Fingerprint}", context.RequestAborted)));
        peerApi.MapPost("/peer/v1/test/control", (RequestDelegate)CountAsync);
        peerApi.MapPost("/peer/v1/test/larger", (RequestDelegate)CountAsync).WithBodyUpTo(1 << 20);
        peerApi.MapPost("/peer/v1/test/stream", (RequestDelegate)CountAsync).WithStreamBody();
    }

    /// <summary>Answers with the bytes that came, and whether Kestrel wants a minimum speed.</summary>
    private static async Task CountAsync(HttpContext context)
    {
        var rate = context.Features.Get<IHttpMinRequestBodyDataRateFeature>()!.MinDataRate;
        var total = 0L;
        var buffer = new byte[1 << 16];
        int read;
        while ((read = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0)
        {
            total += read;
        }

        await context.Response.WriteAsync($"{total} {(rate is null ? "any speed" : "not too slow")}", context.RequestAborted);
    }

    private sealed class Use : IPeerUse
    {
        public string? DescribeUse(string peerName) => peerName == "needed" ? "a migration" : null;
    }
}
