using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Identity;

namespace ContainerMigrate.Daemon.Peers.Pairing;

/// <summary>The side that calls: asks another host to show a code, or proves to know it and pins that host.</summary>
internal sealed class PairingClient(
    DaemonIdentity identity,
    PeerDirectory peers,
    PeerListener listener,
    DaemonOptions options,
    TimeProvider time,
    ILogger<PairingClient> logger)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <param name="code">As typed; null asks the other host to show one.</param>
    /// <returns>The host that is paired now, or null when its code is on show; and its name.</returns>
    /// <exception cref="ApiException">Refused, with the reason and the next step; nothing was pinned on this host.</exception>
    public async Task<(Peer? Peer, string Name)> PairAsync(PeerAddress address, string? code, CancellationToken cancellationToken)
    {
        string? normalized = null;
        if (code is not null && !PairingCodeText.TryNormalize(code, out normalized))
        {
            throw ApiException.BadRequest($"a pairing code has {PairingCodeText.Allowed}");
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);

        // Whatever certificate answers is taken, and has to stay the same: the proofs are about it.
        string? fingerprint = null;
        using var client = PeerHttpClientFactory.Create(address, identity, seen =>
        {
            if ((fingerprint ??= seen) != seen)
            {
                throw new IOException("its certificate changed while pairing");
            }
        });
        client.MaxResponseContentBufferSize = 64 * 1024;

        try
        {
            var called = await SendAsync(client, address, "open", new PairOpenRequest(options.HostName, normalized is null), PairingJson.Default.PairOpenRequest, PairingJson.Default.PairOpenReply, limit.Token);
            if (!HostNames.IsValid(called.Name) || !PairingHex.TryParse(called.Nonce, PairingProof.NonceBytes, out var calledNonce))
            {
                throw Nonsense(address);
            }

            CheckName(called.Name, fingerprint!, address);
            if (normalized is null)
            {
                return (null, called.Name);
            }

            var callerNonce = RandomNumberGenerator.GetBytes(PairingProof.NonceBytes);
            var proof = new PairingProof
            {
                CallerName = options.HostName,
                CalledName = called.Name,
                CallerFingerprint = identity.Fingerprint,
                CalledFingerprint = fingerprint!,
                CallerNonce = callerNonce,
                CalledNonce = calledNonce,
                CallerAddress = options.PeerAdvertise?.ToString() ?? "",
                CallerPort = options.PeerAdvertise?.Port ?? listener.Port,
            };
            var request = new PairProveRequest(options.HostName, proof.CallerAddress, proof.CallerPort, Convert.ToHexString(callerNonce), Convert.ToHexString(proof.ByCaller(normalized)));
            var reply = await SendAsync(client, address, "prove", request, PairingJson.Default.PairProveRequest, PairingJson.Default.PairProveReply, limit.Token);
            if (!PairingHex.TryParse(reply.Proof, HMACSHA256.HashSizeInBytes, out var calledProof)
                || !CryptographicOperations.FixedTimeEquals(proof.ByCalled(normalized), calledProof))
            {
                throw ApiException.Refused($"{address} does not know the code itself: somebody else answers at this address; not paired");
            }

            var peer = new Peer(called.Name, address, fingerprint!, time.GetUtcNow());
            if (!peers.TryAdd(peer))
            {
                throw NameTaken(called.Name);
            }

            PairingLog.Paired(logger, peer.Name, peer.Address, peer.Fingerprint);
            return (peer, peer.Name);
        }
        catch (ApiException) when (fingerprint == identity.Fingerprint)
        {
            throw ApiException.Refused($"{address} is this host itself, or a copy of its disk (then delete {options.IdentityDirectory} on the copy, and restart ctmigrated there)");
        }
        catch (Exception e) when (PeerFailures.IsPeerFailure(e) && !cancellationToken.IsCancellationRequested)
        {
            var (cause, nextStep) = PeerFailures.Describe(e, address);
            throw ApiException.Refused(nextStep is null ? cause : $"{cause} ({nextStep})", e);
        }
    }

    private static async Task<TReply> SendAsync<TRequest, TReply>(
        HttpClient client, PeerAddress address, string step, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TReply> replyType, CancellationToken cancellationToken)
    {
        using var response = await client.PostAsJsonAsync($"/peer/v1/pair/{step}", request, requestType, cancellationToken);
        try
        {
            if (response.IsSuccessStatusCode)
            {
                return await response.Content.ReadFromJsonAsync(replyType, cancellationToken) ?? throw Nonsense(address);
            }

            if (response.StatusCode >= System.Net.HttpStatusCode.InternalServerError)
            {
                throw ApiException.Refused($"{address} failed to pair: the log of its ctmigrated says why");
            }

            var refused = await response.Content.ReadFromJsonAsync(PairingJson.Default.PairRefused, cancellationToken);
            throw ApiException.Refused(Explain(refused?.Reason ?? PairRefusal.Malformed, address));
        }
        catch (JsonException)
        {
            throw Nonsense(address);
        }
    }

    private static string Explain(PairRefusal reason, PeerAddress address) => reason switch
    {
        PairRefusal.NoCode => $"no pairing code is open on {address}, or it has expired: run ctmigrate hosts code there",
        PairRefusal.WrongCode => $"{address} refused the code: type it again as it is shown there; if it is right, somebody is between the two hosts",
        PairRefusal.LastTryFailed => $"{address} refused the code, and closed it after too many tries: run ctmigrate hosts code there for a new one",
        PairRefusal.NameTaken => $"{address} knows another host by this host's name: run ctmigrate hosts remove there if that one is gone, or set another host_name here",
        PairRefusal.Itself => $"{address} has this host's own name or identity: every host needs its own",
        PairRefusal.Busy => $"{address} gets too many pairing requests: try again in a minute",
        _ => $"{address} did not understand the request: are both hosts' versions the same?",
    };

    private static ApiException Nonsense(PeerAddress address) =>
        ApiException.Refused($"what answers at {address} does not speak as a ctmigrated does");

    private static ApiException NameTaken(string name) =>
        ApiException.Refused($"another host is known here by the name {name}: run ctmigrate hosts remove {name} if that one is gone, or set another host_name on the new one");

    private void CheckName(string name, string fingerprint, PeerAddress address)
    {
        if (name == options.HostName)
        {
            throw ApiException.Refused($"{address} is called {name} like this host: set another host_name in {DaemonOptions.DefaultConfigurationFile} on one of them");
        }

        if (peers.FindByName(name) is { } known && known.Fingerprint != fingerprint)
        {
            throw NameTaken(name);
        }
    }
}
