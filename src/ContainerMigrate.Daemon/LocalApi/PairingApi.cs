using ContainerMigrate.Api;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Identity;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Daemon.Peers.Pairing;

namespace ContainerMigrate.Daemon.LocalApi;

/// <summary>Endpoints about the hosts that this one is paired with.</summary>
internal static partial class PairingApi
{
    public static void Map(IEndpointRouteBuilder localApi)
    {
        localApi.MapGet("/v1/hosts", async (DaemonOptions options, DaemonIdentity identity, PeerDirectory peers, PeerProbe probe, PairingDesk desk, CancellationToken cancellationToken) =>
            new HostsReport
            {
                Self = options.HostName,
                Fingerprint = identity.Fingerprint,
                Hosts = await Task.WhenAll(peers.All.OrderBy(p => p.Name, StringComparer.Ordinal).Select(p => probe.ProbeAsync(p, cancellationToken))),
                OpenCode = desk.Current,
            });

        localApi.MapPost("/v1/hosts/code", (PairingDesk desk) => desk.Open());

        localApi.MapPost("/v1/hosts/pair", async (PairRequest request, PairingClient pairing, PeerProbe probe, CancellationToken cancellationToken) =>
        {
            if (!PeerAddress.TryParse(request.Host, out var address))
            {
                throw ApiException.BadRequest($"\"{request.Host}\" is no address of a host: give {PeerAddress.Allowed}");
            }

            var (peer, name) = await pairing.PairAsync(address, request.Code, cancellationToken);
            return peer is null
                ? new PairReply(false, null, $"{name} shows a pairing code now: read it there with ctmigrate hosts, or in the log of its ctmigrated")
                : new PairReply(true, await probe.ProbeAsync(peer, cancellationToken), $"paired with {name}, both ways");
        });

        localApi.MapDelete("/v1/hosts/{name}", (string name, PeerDirectory peers, IEnumerable<IPeerUse> uses, ILoggerFactory loggers) =>
        {
            foreach (var use in uses)
            {
                if (use.DescribeUse(name) is { } reason)
                {
                    throw ApiException.Refused($"{name} is still needed: {reason}");
                }
            }

            var removed = peers.Remove(name) ?? throw ApiException.NotFound($"no host {name} is paired with this one; see ctmigrate hosts");
            PairingLog.Removed(loggers.CreateLogger<PairingDesk>(), removed.Name);
            return Results.NoContent();
        });
    }
}
