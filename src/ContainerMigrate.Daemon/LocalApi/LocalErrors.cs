using ContainerMigrate.Api;

namespace ContainerMigrate.Daemon.LocalApi;

/// <summary>Errors of the local API: <see cref="ApiError"/>.</summary>
internal sealed class LocalErrors(ILogger<LocalErrors> logger) : ErrorAnswers(logger)
{
    protected override Task WriteAsync(HttpResponse response, ApiError error, CancellationToken cancellationToken) =>
        response.WriteAsJsonAsync(error, ApiJson.Default.ApiError, contentType: null, cancellationToken);
}
