using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ContainerMigrate.Daemon.Identity;

/// <summary>SHA-256 of a certificate's DER encoding, written as 32 hexadecimal pairs with colons: what a host is known by.</summary>
internal static class Fingerprint
{
    public static string Of(X509Certificate certificate) => Format(SHA256.HashData(certificate.GetRawCertData()));

    public static string Format(ReadOnlySpan<byte> hash) => string.Join(':', Convert.ToHexString(hash).Chunk(2).Select(pair => new string(pair)));

    /// <summary>The 32 bytes of a fingerprint in exactly the form that <see cref="Format"/> writes.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out byte[]? hash)
    {
        hash = null;
        if (text is not { Length: (SHA256.HashSizeInBytes * 3) - 1 })
        {
            return false;
        }

        var bytes = new byte[SHA256.HashSizeInBytes];
        for (var i = 0; i < bytes.Length; i++)
        {
            if (Convert.FromHexString(text.AsSpan(i * 3, 2), bytes.AsSpan(i, 1), out _, out _) != System.Buffers.OperationStatus.Done)
            {
                return false;
            }
        }

        if (!string.Equals(Format(bytes), text, StringComparison.Ordinal))
        {
            return false;
        }

        hash = bytes;
        return true;
    }
}
