using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Digests of blocks of at most <see cref="MaxLength"/> bytes under a key that nobody knows beforehand: NH of UMAC (RFC 4418, 5.2) with two rows of the key (Toeplitz). Two different
/// contents, whoever has chosen them, have the same digest for one key of 2^64 (Black et al., UMAC, CRYPTO '99, theorem 4.2), and digests are seen by nobody who chooses contents.
/// It takes a tenth of the time of SHA-256, which has to do with a frozen container's pause: all of each large file that was written to is read in it.
/// </summary>
internal sealed class BlockHash
{
    /// <summary>Bytes of what a key is made from.</summary>
    public const int SeedLength = 32;

    /// <summary>Bytes of the longest content.</summary>
    public const int MaxLength = 8 * 1024;

    // The second row begins at the fifth word.
    private const int Shift = 16;

    private const int VectorLength = 32;

    private readonly byte[] _key = new byte[MaxLength + Shift];

    /// <param name="seed">Of <see cref="SeedLength"/> bytes, random.</param>
    public BlockHash(ReadOnlySpan<byte> seed) => HKDF.DeriveKey(HashAlgorithmName.SHA512, seed, _key, [], "ctmigrate blocks"u8);

    /// <summary>With a key of this process.</summary>
    public static BlockHash Own { get; } = new(RandomNumberGenerator.GetBytes(SeedLength));

    /// <summary>The digest of one block's content.</summary>
    public UInt128 Of(ReadOnlySpan<byte> content)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(content.Length, MaxLength);
        var whole = content.Length / VectorLength * VectorLength;
        var (first, second) = Avx2.IsSupported ? AddVectors(content[..whole], _key) : AddWords(content[..whole], _key);
        if (whole < content.Length)
        {
            Span<byte> rest = stackalloc byte[VectorLength];
            rest.Clear();
            content[whole..].CopyTo(rest);
            var (a, b) = AddWords(rest, _key.AsSpan(whole));
            (first, second) = (unchecked(first + a), unchecked(second + b));
        }

        var length = (ulong)content.Length;
        return new UInt128(unchecked(first + length), unchecked(second + length));
    }

    private static (ulong First, ulong Second) AddVectors(ReadOnlySpan<byte> content, ReadOnlySpan<byte> key)
    {
        var (first, second) = (Vector256<ulong>.Zero, Vector256<ulong>.Zero);
        for (var i = 0; i < content.Length; i += VectorLength)
        {
            var words = Vector256.Create(content.Slice(i, VectorLength)).AsUInt32();
            first += MultiplyPairs(words + Vector256.Create(key.Slice(i, VectorLength)).AsUInt32());
            second += MultiplyPairs(words + Vector256.Create(key.Slice(i + Shift, VectorLength)).AsUInt32());
        }

        return (Vector256.Sum(first), Vector256.Sum(second));
    }

    private static Vector256<ulong> MultiplyPairs(Vector256<uint> words) => Avx2.Multiply(words, (words.AsUInt64() >>> 32).AsUInt32());

    private static (ulong First, ulong Second) AddWords(ReadOnlySpan<byte> content, ReadOnlySpan<byte> key)
    {
        var (first, second) = (0ul, 0ul);
        for (var i = 0; i < content.Length; i += 2 * sizeof(uint))
        {
            var (even, odd) = ReadPair(content[i..]);
            first = unchecked(first + Multiply(even, odd, ReadPair(key[i..])));
            second = unchecked(second + Multiply(even, odd, ReadPair(key[(i + Shift)..])));
        }

        return (first, second);
    }

    private static ulong Multiply(uint even, uint odd, (uint Even, uint Odd) key) => unchecked((ulong)(even + key.Even) * (odd + key.Odd));

    private static (uint Even, uint Odd) ReadPair(ReadOnlySpan<byte> bytes) =>
        (BinaryPrimitives.ReadUInt32LittleEndian(bytes), BinaryPrimitives.ReadUInt32LittleEndian(bytes[sizeof(uint)..]));
}
