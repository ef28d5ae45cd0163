using System.Diagnostics.CodeAnalysis;

namespace ContainerMigrate.Daemon.Peers.Pairing;

/// <summary><c>POST /peer/v1/pair/open</c>, from a host that nothing is known about.</summary>
/// <param name="Name">What the caller calls itself.</param>
/// <param name="ShowCode">Make and show a code if none is open; without it the call only asks for the nonce of the open one.</param>
internal sealed record PairOpenRequest(string Name, bool ShowCode);

/// <param name="Name">What the called host calls itself.</param>
/// <param name="Nonce">Belongs to the open code; hexadecimal.</param>
internal sealed record PairOpenReply(string Name, string Nonce);

/// <summary><c>POST /peer/v1/pair/prove</c></summary>
/// <param name="Address">See <see cref="PairingProof.CallerAddress"/>.</param>
/// <param name="Nonce">Hexadecimal.</param>
/// <param name="Proof">Hexadecimal, see <see cref="PairingProof.ByCaller"/>.</param>
internal sealed record PairProveRequest(string Name, string Address, int Port, string Nonce, string Proof);

/// <param name="Proof">Hexadecimal, see <see cref="PairingProof.ByCalled"/>.</param>
internal sealed record PairProveReply(string Proof);

/// <summary>Why a host does not pair; all that a stranger gets to read.</summary>
internal enum PairRefusal
{
    /// <summary>The request makes no sense.</summary>
    Malformed,

    /// <summary>No code is open: none was made, or it has expired, or was used.</summary>
    NoCode,

    /// <summary>The proof does not fit: a wrong code, or somebody in between.</summary>
    WrongCode,

    /// <summary>It was the last try: the code is closed.</summary>
    LastTryFailed,

    /// <summary>The code is right, and another host is known by the caller's name.</summary>
    NameTaken,

    /// <summary>The caller shows the called host's own certificate, or calls itself by its name.</summary>
    Itself,

    /// <summary>Too many requests at this time.</summary>
    Busy,
}

/// <summary>Body of every answer of the pairing endpoints that is not a success.</summary>
internal sealed record PairRefused(PairRefusal Reason);

/// <summary>Hexadecimal fields of the pairing messages.</summary>
internal static class PairingHex
{
    public static bool TryParse(string? text, int length, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        if (text?.Length != length * 2)
        {
            return false;
        }

        var buffer = new byte[length];
        if (Convert.FromHexString(text, buffer, out _, out _) != System.Buffers.OperationStatus.Done)
        {
            return false;
        }

        bytes = buffer;
        return true;
    }
}
