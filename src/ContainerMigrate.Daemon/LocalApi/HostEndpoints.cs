using ContainerMigrate.Api;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Host;
using Microsoft.AspNetCore.Mvc;

namespace ContainerMigrate.Daemon.LocalApi;

/// <summary>Endpoints about this host and its containers' addresses.</summary>
internal static class HostEndpoints
{
    public static void Map(IEndpointRouteBuilder localApi)
    {
        localApi.MapGet("/v1/version", (DaemonOptions options) => new VersionReport(options.HostName, DaemonVersion.Current));

        localApi.MapGet("/v1/doctor", ([FromServices] IHostInspector inspector, CancellationToken cancellationToken) =>
            inspector.DiagnoseAsync(cancellationToken));

        localApi.MapPost("/v1/announce", async (AnnounceRequest request, [FromServices] IContainerAnnouncements announcements, CancellationToken cancellationToken) =>
            new AnnounceReply(await announcements.AnnounceAsync(request.Container, cancellationToken)));
    }
}
