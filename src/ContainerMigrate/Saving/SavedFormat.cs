using System.Buffers.Binary;
using System.Security.Cryptography;

namespace ContainerMigrate.Saving;

/// <summary>
/// The format of a saved container, version 1.0: a header, and frames up to the end of the file. All numbers are little-endian.
/// <para>
/// Header, 96 bytes: magic (8), major (2), minor (2), <see cref="SavedProtection"/> (1), zeros (3), iterations of PBKDF2 (4), zeros (4), salt (16), zeros (24), SHA-256 of all that (32).
/// </para>
/// <para>
/// Frame: <see cref="SavedFrame"/> (1), coding (1: 0 as it is, 1 Brotli), <see cref="SavedPart"/> (2), bytes in the file (4), bytes of content (4), content, tag. Without protection the tag is
/// SHA-256 (32 bytes) of the tag before (of the first: the header's digest), the frame's number (8), its first 12 bytes and its content. With protection the content is encrypted by AES-256-GCM under
/// the file's own key, nonce four zeros and the number, with the header's digest and the frame's first 12 bytes as associated data; the tag is GCM's (16 bytes). So no frame can be
/// altered, left out, repeated or moved without being found.
/// </para>
/// <para>
/// A part is a Begin, its Data and an End with its length (8) and SHA-256 (32); the last frame of the file is Close with the number of parts (4). The first part is the manifest.
/// </para>
/// </summary>
public static class SavedFormat
{
    public const ushort Major = 1;
    public const ushort Minor = 0;

    /// <summary>Most bytes of content in one frame.</summary>
    public const int MaxFrameBytes = 1 << 20;

    /// <summary>More parts than any container has.</summary>
    public const int MaxParts = 256;

    /// <summary>Longest part of JSON, which is read into memory.</summary>
    public const int MaxJsonBytes = 4 << 20;

    internal const int HeaderBytes = 96;
    internal const int FrameHeaderBytes = 12;
    internal const int DigestBytes = 32;
    internal const int SealBytes = 16;
    internal const int EndBytes = 8 + DigestBytes;
    internal const byte AsItIs = 0;
    internal const byte Compressed = 1;

    // OWASP's recommendation for PBKDF2 with HMAC-SHA-256; what a file may ask for at most keeps a hostile one from taking minutes.
    internal const int Iterations = 600_000;
    internal const int MaxIterations = 10_000_000;

    private const int DigestOffset = HeaderBytes - DigestBytes;
    private const int SaltOffset = 24;
    private const int SaltBytes = 16;

    private static ReadOnlySpan<byte> Magic => "CTMSAVE\n"u8;

    internal static byte[] MakeHeader(SavedProtection protection, ReadOnlySpan<byte> salt)
    {
        var header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), Major);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(10), Minor);
        header[12] = (byte)protection;
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(16), protection == SavedProtection.Passphrase ? Iterations : 0);
        salt.CopyTo(header.AsSpan(SaltOffset, SaltBytes));
        SHA256.HashData(header.AsSpan(0, DigestOffset), header.AsSpan(DigestOffset));
        return header;
    }

    internal static byte[] NewSalt() => RandomNumberGenerator.GetBytes(SaltBytes);

    internal static ReadOnlySpan<byte> SaltOf(ReadOnlySpan<byte> header) => header.Slice(SaltOffset, SaltBytes);

    internal static ReadOnlySpan<byte> DigestOf(ReadOnlySpan<byte> header) => header[DigestOffset..HeaderBytes];

    /// <exception cref="InvalidDataException">It is no header, or of a version that is not known.</exception>
    internal static (SavedProtection Protection, int Iterations) ReadHeader(ReadOnlySpan<byte> header)
    {
        if (!header.StartsWith(Magic))
        {
            throw new InvalidDataException("it is not a saved container");
        }

        var (major, minor) = (BinaryPrimitives.ReadUInt16LittleEndian(header[8..]), BinaryPrimitives.ReadUInt16LittleEndian(header[10..]));
        Span<byte> digest = stackalloc byte[DigestBytes];
        SHA256.HashData(header[..DigestOffset], digest);
        if (!digest.SequenceEqual(DigestOf(header)))
        {
            throw new InvalidDataException("its header is damaged");
        }

        if (major != Major || minor > Minor)
        {
            throw new InvalidDataException($"it is of format {major}.{minor}, and this version reads {Major}.0 to {Major}.{Minor}");
        }

        var (protection, iterations) = ((SavedProtection)header[12], BinaryPrimitives.ReadInt32LittleEndian(header[16..]));
        if (!Enum.IsDefined(protection) || (protection == SavedProtection.Passphrase ? iterations is < 1 or > MaxIterations : iterations != 0)
            || header[13..16].ContainsAnyExcept((byte)0) || header[20..SaltOffset].ContainsAnyExcept((byte)0) || header[(SaltOffset + SaltBytes)..DigestOffset].ContainsAnyExcept((byte)0))
        {
            throw new InvalidDataException("its header is malformed");
        }

        return (protection, iterations);
    }
}

/// <summary>What keeps others from reading a file.</summary>
public enum SavedProtection
{
    None = 0,

    /// <summary>The key comes from a passphrase, by PBKDF2 with HMAC-SHA-256.</summary>
    Passphrase = 1,

    /// <summary>The key comes from a key, by HKDF with SHA-256.</summary>
    Key = 2,
}

/// <summary>Kinds of frames.</summary>
internal enum SavedFrame
{
    Begin = 1,
    Data = 2,
    End = 3,
    Close = 4,
}

/// <summary>Parts of a file: those of JSON, and the streams of a migration as the destination would get them.</summary>
public enum SavedPart
{
    /// <summary>A <see cref="SavedManifest"/>; the first.</summary>
    Manifest = 1,

    /// <summary>A <see cref="SavedSettings"/>; the last.</summary>
    Settings = 2,

    Image = 16,
    Files = 17,
    Layer = 18,
    Log = 19,
    Pages = 20,
    Checkpoint = 21,
}
