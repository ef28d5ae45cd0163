using System.Buffers.Binary;
using System.Security.Cryptography;

namespace ContainerMigrate.Saving;

/// <summary>Makes and checks the tags of a file's frames, one after the other; see <see cref="SavedFormat"/>.</summary>
internal sealed class FrameSeal : IDisposable
{
    private readonly byte[] _header;
    private readonly byte[] _previous = new byte[SavedFormat.DigestBytes];
    private readonly AesGcm? _cipher;
    private ulong _number;

    /// <param name="header">Of the file.</param>
    /// <param name="key">Null for a file that is not protected.</param>
    public FrameSeal(byte[] header, byte[]? key)
    {
        _header = header;
        SavedFormat.DigestOf(header).CopyTo(_previous);
        _cipher = key is null ? null : new AesGcm(key, SavedFormat.SealBytes);
    }

    public int TagBytes => _cipher is null ? SavedFormat.DigestBytes : SavedFormat.SealBytes;

    /// <summary>Encrypts the content in place, where the file is protected, and makes the tag.</summary>
    public void Seal(ReadOnlySpan<byte> frame, Span<byte> content, Span<byte> tag)
    {
        if (_cipher is null)
        {
            Digest(frame, content, tag);
            tag.CopyTo(_previous);
        }
        else
        {
            Span<byte> nonce = stackalloc byte[12];
            Span<byte> bound = stackalloc byte[SavedFormat.DigestBytes + SavedFormat.FrameHeaderBytes];
            _cipher.Encrypt(Bind(frame, nonce, bound), content, content, tag, bound);
        }

        _number++;
    }

    /// <summary>Checks the tag and decrypts in place.</summary>
    /// <exception cref="InvalidDataException">It is not right.</exception>
    public void Open(ReadOnlySpan<byte> frame, Span<byte> content, ReadOnlySpan<byte> tag)
    {
        if (_cipher is null)
        {
            Span<byte> expected = stackalloc byte[SavedFormat.DigestBytes];
            Digest(frame, content, expected);
            if (!expected.SequenceEqual(tag))
            {
                throw new InvalidDataException($"it is damaged: frame {_number} does not have the digest that it should");
            }

            expected.CopyTo(_previous);
        }
        else
        {
            Span<byte> nonce = stackalloc byte[12];
            Span<byte> bound = stackalloc byte[SavedFormat.DigestBytes + SavedFormat.FrameHeaderBytes];
            try
            {
                _cipher.Decrypt(Bind(frame, nonce, bound), content, tag, content, bound);
            }
            catch (AuthenticationTagMismatchException e)
            {
                throw new InvalidDataException(_number == 0 ? "the passphrase or key is another one, or it is damaged" : $"it is damaged: frame {_number} cannot be decrypted", e);
            }
        }

        _number++;
    }

    /// <inheritdoc/>
    public void Dispose() => _cipher?.Dispose();

    private ReadOnlySpan<byte> Bind(ReadOnlySpan<byte> frame, Span<byte> nonce, Span<byte> bound)
    {
        nonce.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(nonce[4..], _number);
        SavedFormat.DigestOf(_header).CopyTo(bound);
        frame.CopyTo(bound[SavedFormat.DigestBytes..]);
        return nonce;
    }

    private void Digest(ReadOnlySpan<byte> frame, ReadOnlySpan<byte> content, Span<byte> digest)
    {
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(number, _number);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(_previous);
        hash.AppendData(number);
        hash.AppendData(frame);
        hash.AppendData(content);
        hash.GetHashAndReset(digest);
    }
}
