using System.Security.Cryptography;
using ContainerMigrate.Api;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Identity;

namespace ContainerMigrate.Daemon.Peers.Pairing;

/// <summary>
/// The side that is called: keeps the one open code, shows it to this host's operator, and pins whoever proves to know it.
/// Codes live in memory only. Thread-safe.
/// </summary>
internal sealed class PairingDesk(
    DaemonIdentity identity,
    PeerDirectory peers,
    DaemonOptions options,
    TimeProvider time,
    ILogger<PairingDesk> logger)
{
    public static readonly TimeSpan CodeLifetime = TimeSpan.FromMinutes(10);

    private const int Tries = 3;

    /// <summary>An operator who asks for a code gets one that leaves this long for typing it.</summary>
    private static readonly TimeSpan WorthShowing = TimeSpan.FromMinutes(2);

    private readonly Lock _gate = new();
    private OpenCode? _open;

    /// <summary>The code to show, or null when none is open.</summary>
    public PairingCode? Current
    {
        get
        {
            lock (_gate)
            {
                return Unexpired()?.Shown;
            }
        }
    }

    /// <summary>Asked by this host's operator: the open code, or a new one.</summary>
    public PairingCode Open()
    {
        lock (_gate)
        {
            var open = Unexpired();
            return (open is not null && open.Shown.ExpiresAt - time.GetUtcNow() >= WorthShowing ? open : Make(requestedBy: null)).Shown;
        }
    }

    /// <summary>Asked by a host that nothing is known about.</summary>
    /// <returns>The nonce of the open code, or null when none is open and none was to be made.</returns>
    public byte[]? Open(string callerName, bool showCode)
    {
        lock (_gate)
        {
            return (Unexpired() ?? (showCode ? Make(callerName) : null))?.Nonce;
        }
    }

    /// <summary>Checks a caller's proof, and pins the caller if it holds.</summary>
    /// <param name="callerFingerprint">Of the certificate that the caller's connection was made with.</param>
    /// <param name="seenAddress">Where the connection comes from.</param>
    public (PairProveReply? Reply, PairRefusal? Refusal) Prove(PairProveRequest request, string callerFingerprint, System.Net.IPAddress seenAddress)
    {
        PeerAddress? address = null;
        if (!HostNames.IsValid(request.Name)
            || request.Port is <= 0 or > 65535
            || (request.Address.Length > 0 && !PeerAddress.TryParse(request.Address, out address, request.Port))
            || !PairingHex.TryParse(request.Nonce, PairingProof.NonceBytes, out var callerNonce)
            || !PairingHex.TryParse(request.Proof, HMACSHA256.HashSizeInBytes, out var callerProof))
        {
            return (null, PairRefusal.Malformed);
        }

        lock (_gate)
        {
            var open = Unexpired();
            if (open is null)
            {
                return (null, PairRefusal.NoCode);
            }

            var proof = new PairingProof
            {
                CallerName = request.Name,
                CalledName = options.HostName,
                CallerFingerprint = callerFingerprint,
                CalledFingerprint = identity.Fingerprint,
                CallerNonce = callerNonce,
                CalledNonce = open.Nonce,
                CallerAddress = request.Address,
                CallerPort = request.Port,
            };
            if (!CryptographicOperations.FixedTimeEquals(proof.ByCaller(open.Code), callerProof))
            {
                return (null, CountFailedTry(open, request.Name, seenAddress));
            }

            if (callerFingerprint == identity.Fingerprint || request.Name == options.HostName)
            {
                return (null, PairRefusal.Itself);
            }

            var peer = new Peer(request.Name, address ?? PeerAddress.From(seenAddress, request.Port), callerFingerprint, time.GetUtcNow());
            if (!peers.TryAdd(peer))
            {
                PairingLog.NameTaken(logger, request.Name);
                return (null, PairRefusal.NameTaken);
            }

            _open = null;
            PairingLog.Paired(logger, peer.Name, peer.Address, peer.Fingerprint);
            return (new PairProveReply(Convert.ToHexString(proof.ByCalled(open.Code))), null);
        }
    }

    private PairRefusal CountFailedTry(OpenCode open, string callerName, System.Net.IPAddress seenAddress)
    {
        open.TriesLeft--;
        PairingLog.WrongCode(logger, callerName, seenAddress, open.TriesLeft);
        if (open.TriesLeft > 0)
        {
            return PairRefusal.WrongCode;
        }

        _open = null;
        return PairRefusal.LastTryFailed;
    }

    private OpenCode? Unexpired()
    {
        if (_open is not null && _open.Shown.ExpiresAt <= time.GetUtcNow())
        {
            _open = null;
        }

        return _open;
    }

    private OpenCode Make(string? requestedBy)
    {
        var text = PairingCodeText.Generate();
        var shown = new PairingCode(text, time.GetUtcNow() + CodeLifetime, requestedBy);
        _ = PairingCodeText.TryNormalize(text, out var code);
        _open = new OpenCode(shown, code!, RandomNumberGenerator.GetBytes(PairingProof.NonceBytes));
        PairingLog.CodeOpened(logger, text, requestedBy ?? "an operator of this host", (int)CodeLifetime.TotalMinutes);
        return _open;
    }

    /// <param name="Code">Normalized: the key of the proofs.</param>
    private sealed record OpenCode(PairingCode Shown, string Code, byte[] Nonce)
    {
        public int TriesLeft { get; set; } = Tries;
    }
}
