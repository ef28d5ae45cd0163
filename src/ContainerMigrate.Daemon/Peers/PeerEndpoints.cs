using ContainerMigrate.Daemon.Configuration;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>What every paired host may ask.</summary>
internal static class PeerEndpoints
{
    public static void Map(IEndpointRouteBuilder peerApi)
    {
        peerApi.MapGet("/peer/v1/hello", (TimeProvider time, DaemonOptions options, IEnumerable<IDaemonModule> modules) =>
        {
            var receivedAt = time.GetUtcNow();
            var capabilities = modules.SelectMany(m => m.PeerCapabilities).ToList();
            return new PeerHello(options.HostName, DaemonVersion.Current, PeerHello.CurrentProtocol, capabilities, receivedAt, time.GetUtcNow());
        });
    }
}
