using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace ContainerMigrate.Daemon.Peers.Pairing;

/// <summary>
/// One-time codes of 80 random bits in Crockford's base 32, written <c>XXXX-XXXX-XXXX-XXXX</c>. So many bits that a proof
/// made with one tells nothing to who records it and tries codes at leisure.
/// </summary>
internal static class PairingCodeText
{
    public const string Allowed = "16 letters and digits, as in 7H2K-Q0TV-M4ZD-9XAE";

    private const string Alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    private const int Length = 16;

    public static string Generate()
    {
        var characters = RandomNumberGenerator.GetString(Alphabet, Length);
        return string.Join('-', characters.Chunk(4).Select(group => new string(group)));
    }

    /// <summary>Reads what somebody typed: in any case, hyphens and blanks anywhere, O for 0, I and L for 1.</summary>
    /// <param name="code">The 16 characters alone.</param>
    public static bool TryNormalize(string text, [NotNullWhen(true)] out string? code)
    {
        code = null;
        if (text.Length > Length * 3)
        {
            return false;
        }

        var characters = text
            .Where(c => c is not ('-' or ' '))
            .Select(c => char.ToUpperInvariant(c) switch
            {
                'O' => '0',
                'I' or 'L' => '1',
                var other => other,
            })
            .ToArray();
        if (characters.Length != Length || characters.Any(c => !Alphabet.Contains(c, StringComparison.Ordinal)))
        {
            return false;
        }

        code = new string(characters);
        return true;
    }
}
