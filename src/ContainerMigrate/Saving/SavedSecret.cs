using System.Security.Cryptography;
using System.Text;

namespace ContainerMigrate.Saving;

/// <summary>What a file is encrypted with.</summary>
/// <param name="Value">A passphrase, or a key of at least <see cref="MinKeyBytes"/> random bytes.</param>
public sealed record SavedSecret(SavedProtection Protection, byte[] Value)
{
    public const int MinKeyBytes = 32;

    private const int KeyBytes = 32;

    /// <exception cref="InvalidDataException">It is too short to protect anything.</exception>
    public static SavedSecret Check(SavedSecret secret)
    {
        ArgumentNullException.ThrowIfNull(secret);
        return secret.Protection switch
        {
            SavedProtection.Passphrase when secret.Value.Length == 0 => throw new InvalidDataException("the passphrase is empty"),
            SavedProtection.Key when secret.Value.Length < MinKeyBytes => throw new InvalidDataException($"the key has {secret.Value.Length} bytes; at least {MinKeyBytes} are needed"),
            SavedProtection.None => throw new InvalidDataException("there is neither a passphrase nor a key"),
            _ => secret,
        };
    }

    internal byte[] MakeKey(ReadOnlySpan<byte> salt, int iterations) => Protection == SavedProtection.Passphrase
        ? Rfc2898DeriveBytes.Pbkdf2(Value, salt, iterations, HashAlgorithmName.SHA256, KeyBytes)
        : HKDF.DeriveKey(HashAlgorithmName.SHA256, Value, KeyBytes, salt.ToArray(), Encoding.ASCII.GetBytes("ctmigrate saved container"));
}
