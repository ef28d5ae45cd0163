using ContainerMigrate.Api;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>Errors towards paired hosts: <see cref="PeerError"/>.</summary>
internal sealed class PeerErrors(DaemonOptions options, ILogger<PeerErrors> logger) : ErrorAnswers(logger)
{
    protected override Task WriteAsync(HttpResponse response, ApiError error, CancellationToken cancellationToken) =>
        response.WriteAsJsonAsync(
            new PeerError(error.Failure ?? new MigrationFailure(options.HostName, "request", error.Message)),
            PeerJson.Default.PeerError,
            contentType: null,
            cancellationToken);
}
