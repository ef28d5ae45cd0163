using System.Text.Json;
using ContainerMigrate.Api;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>Finds out how a peer is right now.</summary>
internal sealed class PeerProbe(PeerHttpClientFactory clients, TimeProvider time)
{
    private const int Rounds = 3;
    private const int MaxVersionLength = 64;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(3);

    /// <summary>Asks the peer; a peer that does not answer is a result.</summary>
    public async Task<HostStatus> ProbeAsync(Peer peer, CancellationToken cancellationToken)
    {
        var status = new HostStatus
        {
            Name = peer.Name,
            Address = peer.Address.ToString(),
            Fingerprint = peer.Fingerprint,
        };
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        try
        {
            return await MeasureAsync(peer, status, limit.Token);
        }
        catch (JsonException)
        {
            return status with { Detail = $"{peer.Address} says hello in a way this version does not understand (is one of the two hosts to be upgraded?)" };
        }
        catch (Exception e) when (PeerFailures.IsPeerFailure(e) && !cancellationToken.IsCancellationRequested)
        {
            var (cause, nextStep) = PeerFailures.Describe(e, peer.Address);
            return status with { Detail = nextStep is null ? cause : $"{cause} ({nextStep})" };
        }
    }

    /// <summary>
    /// Takes the round that was quickest: its clock offset is off by half its round-trip time at most (RFC 5905, 8). The
    /// first one also makes the connection and is never it.
    /// </summary>
    private async Task<HostStatus> MeasureAsync(Peer peer, HostStatus status, CancellationToken cancellationToken)
    {
        var client = clients.GetClient(peer);
        TimeSpan? best = null;
        for (var round = 0; round <= Rounds; round++)
        {
            var sentAt = time.GetUtcNow();
            var started = time.GetTimestamp();
            var hello = await client.GetFromJsonAsync("/peer/v1/hello", PeerHelloJson.Default.PeerHello, cancellationToken)
                ?? throw new JsonException("no hello");
            var elapsed = time.GetElapsedTime(started);
            var roundTrip = elapsed - (hello.SentAt - hello.ReceivedAt);
            if (round == 0 || (best is not null && roundTrip >= best))
            {
                continue;
            }

            best = roundTrip;
            var offset = (hello.ReceivedAt - sentAt + (hello.SentAt - (sentAt + elapsed))) / 2;
            status = status with
            {
                Reachable = true,
                Detail = hello.Name == peer.Name ? "" : $"calls itself {Printable(hello.Name)} now: pair again to know it by that name",
                Version = Printable(hello.Version),
                RoundTripMs = Math.Round(roundTrip.TotalMilliseconds, 3),
                ClockOffsetMs = Math.Round(offset.TotalMilliseconds, 3),
            };
        }

        return status;
    }

    /// <summary>A peer's own words go to a terminal in the end.</summary>
    private static string Printable(string text) =>
        new([.. text.Take(MaxVersionLength).Select(c => c is > ' ' and <= '~' ? c : '?')]);
}
