using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace ContainerMigrate.Daemon.Peers.Pairing;

/// <summary>
/// What two hosts prove to each other when they pair: that both know the code, and that each sees the other's own
/// certificate, so that nobody sits between them. A proof is HMAC-SHA256, keyed by the code, over everything below.
/// </summary>
internal sealed record PairingProof
{
    /// <summary>Bytes in each side's nonce.</summary>
    public const int NonceBytes = 32;

    public required string CallerName { get; init; }

    public required string CalledName { get; init; }

    public required string CallerFingerprint { get; init; }

    public required string CalledFingerprint { get; init; }

    public required byte[] CallerNonce { get; init; }

    public required byte[] CalledNonce { get; init; }

    /// <summary>What the called side shall use to reach the caller: an address, or empty for the one it sees; and the port.</summary>
    public required string CallerAddress { get; init; }

    public required int CallerPort { get; init; }

    /// <summary>Made by the host on which the code is typed.</summary>
    public byte[] ByCaller(string code) => Compute(code, "caller");

    /// <summary>Made by the host that shows the code, once it has seen the caller's.</summary>
    public byte[] ByCalled(string code) => Compute(code, "called");

    private byte[] Compute(string code, string role)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, Encoding.ASCII.GetBytes(code));
        foreach (var text in new[] { "ctmigrate pairing 1", role, CallerName, CalledName, CallerFingerprint, CalledFingerprint, CallerAddress })
        {
            Append(hmac, Encoding.UTF8.GetBytes(text));
        }

        Append(hmac, CallerNonce);
        Append(hmac, CalledNonce);
        Span<byte> port = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(port, CallerPort);
        Append(hmac, port);
        return hmac.GetHashAndReset();
    }

    /// <summary>With its length in front: no two lists of fields give the same bytes.</summary>
    private static void Append(IncrementalHash hmac, ReadOnlySpan<byte> field)
    {
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(length, field.Length);
        hmac.AppendData(length);
        hmac.AppendData(field);
    }
}
