using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Saving;

/// <summary>
/// Reads a saved container, which may be hostile: part after part, nothing of a frame is given out before its tag is right, and no more than two frames are in memory.
/// Whatever is wrong is an <see cref="InvalidDataException"/>.
/// </summary>
public sealed class SavedFileReader : IDisposable
{
    private readonly Stream _file;
    private readonly FrameSeal _seal;
    private readonly byte[] _stored = GC.AllocateUninitializedArray<byte>(SavedFormat.MaxFrameBytes + SavedFormat.DigestBytes);
    private readonly byte[] _content = GC.AllocateUninitializedArray<byte>(SavedFormat.MaxFrameBytes);
    private readonly byte[] _header = new byte[SavedFormat.FrameHeaderBytes];
    private readonly IncrementalHash _digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private SavedPart? _part;
    private ReadOnlyMemory<byte> _rest;
    private long _partBytes;
    private long _partStored;
    private int _parts;
    private bool _ended;

    private SavedFileReader(Stream file, FrameSeal seal)
    {
        _file = file;
        _seal = seal;
    }

    /// <summary>Of the part that was read last, once it has ended.</summary>
    public SavedPartInfo? Last { get; private set; }

    /// <summary>Reads the header.</summary>
    /// <param name="file">At its beginning; not disposed.</param>
    /// <param name="secret">Asked for only where the file is protected.</param>
    /// <exception cref="InvalidDataException">It is no saved container, or one that cannot be read without another secret.</exception>
    public static async Task<SavedFileReader> OpenAsync(Stream file, SavedSecret? secret, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(file);
        var header = new byte[SavedFormat.HeaderBytes];
        await FillAsync(file, header, cancellationToken);
        var (protection, iterations) = SavedFormat.ReadHeader(header);
        if (protection == SavedProtection.None)
        {
            return new SavedFileReader(file, new FrameSeal(header, null));
        }

        if (secret?.Protection != protection)
        {
            throw new InvalidDataException(protection == SavedProtection.Passphrase ? "it is encrypted with a passphrase, which is needed (--passphrase-file)" : "it is encrypted with a key, which is needed (--key)");
        }

        return new SavedFileReader(file, new FrameSeal(header, SavedSecret.Check(secret).MakeKey(SavedFormat.SaltOf(header), iterations)));
    }

    /// <summary>Reads to the end of the current part, and goes on to the next.</summary>
    /// <returns>Which part it is; null at the end of a file that is whole.</returns>
    public async Task<SavedPart?> NextAsync(CancellationToken cancellationToken)
    {
        while (_part is not null)
        {
            _rest = default;
            await ReadFrameAsync(cancellationToken);
        }

        if (_ended)
        {
            return null;
        }

        await ReadFrameAsync(cancellationToken);
        if (_part is null && await _file.ReadAsync(_header.AsMemory(0, 1), cancellationToken) > 0)
        {
            throw new InvalidDataException("something follows its end");
        }

        return _part;
    }

    /// <summary>Content of the current part. At its end all of it has been compared with its digest.</summary>
    public Stream OpenPart() => _part is null ? throw new InvalidOperationException("there is no part") : new PartStream(this);

    /// <summary>Reads a part of JSON as a whole.</summary>
    public async Task<byte[]> ReadAllAsync(CancellationToken cancellationToken)
    {
        using var whole = new MemoryStream();
        await using var part = OpenPart();
        var block = new byte[64 << 10];
        int read;
        while ((read = await part.ReadAsync(block, cancellationToken)) > 0)
        {
            if (whole.Length + read > SavedFormat.MaxJsonBytes)
            {
                throw new InvalidDataException($"its {_part} is longer than {SavedFormat.MaxJsonBytes} bytes");
            }

            whole.Write(block, 0, read);
        }

        return whole.ToArray();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _seal.Dispose();
        _digest.Dispose();
    }

    private async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (_rest.IsEmpty)
        {
            if (_part is null)
            {
                return 0;
            }

            await ReadFrameAsync(cancellationToken);
        }

        var taken = Math.Min(buffer.Length, _rest.Length);
        _rest[..taken].CopyTo(buffer);
        _rest = _rest[taken..];
        return taken;
    }

    private async Task ReadFrameAsync(CancellationToken cancellationToken)
    {
        await FillAsync(_file, _header, cancellationToken);
        var (kind, coding, part) = ((SavedFrame)_header[0], _header[1], BinaryPrimitives.ReadUInt16LittleEndian(_header.AsSpan(2)));
        var (stored, length) = (BinaryPrimitives.ReadUInt32LittleEndian(_header.AsSpan(4)), BinaryPrimitives.ReadUInt32LittleEndian(_header.AsSpan(8)));
        // Before the tag can be checked these say how much to read.
        if (stored > SavedFormat.MaxFrameBytes || length > SavedFormat.MaxFrameBytes || (coding == SavedFormat.AsItIs ? stored != length : coding != SavedFormat.Compressed || stored >= length))
        {
            throw new InvalidDataException("it is damaged: a frame's lengths are out of range");
        }

        await FillAsync(_file, _stored.AsMemory(0, (int)stored + _seal.TagBytes), cancellationToken);
        Take(kind, coding, part, (int)stored, (int)length);
    }

    private void Take(SavedFrame kind, byte coding, ushort part, int stored, int length)
    {
        var content = _stored.AsSpan(0, stored);
        _seal.Open(_header, content, _stored.AsSpan(stored, _seal.TagBytes));
        switch (kind)
        {
            case SavedFrame.Begin when _part is null && !_ended && length == 0 && _parts < SavedFormat.MaxParts && Enum.IsDefined((SavedPart)part):
                (_part, _partBytes, _partStored) = ((SavedPart)part, 0, 0);
                _parts++;
                break;
            case SavedFrame.Data when part == (ushort?)_part && length > 0:
                _rest = coding == SavedFormat.AsItIs ? _stored.AsMemory(0, stored) : Expand(content, length);
                _digest.AppendData(_rest.Span);
                _partBytes += length;
                _partStored += stored;
                break;
            case SavedFrame.End when part == (ushort?)_part && length == SavedFormat.EndBytes && coding == SavedFormat.AsItIs:
                EndPart(content);
                break;
            case SavedFrame.Close when _part is null && !_ended && part == 0 && length == 4 && coding == SavedFormat.AsItIs && BinaryPrimitives.ReadInt32LittleEndian(content) == _parts:
                _ended = true;
                break;
            default:
                throw new InvalidDataException("its frames are not in the order in which they are written");
        }
    }

    private ReadOnlyMemory<byte> Expand(ReadOnlySpan<byte> content, int length) =>
        BrotliDecoder.TryDecompress(content, _content.AsSpan(0, length), out var written) && written == length
            ? _content.AsMemory(0, length)
            : throw new InvalidDataException("a frame cannot be decompressed to what it says to be");

    private void EndPart(ReadOnlySpan<byte> end)
    {
        Span<byte> digest = stackalloc byte[SavedFormat.DigestBytes];
        _digest.GetHashAndReset(digest);
        if (BinaryPrimitives.ReadInt64LittleEndian(end) != _partBytes || !digest.SequenceEqual(end[8..]))
        {
            throw new InvalidDataException($"its {_part} does not have the digest that it should");
        }

        Last = new SavedPartInfo(_part!.Value, _partBytes, _partStored, Convert.ToHexStringLower(digest));
        _part = null;
    }

    private static async Task FillAsync(Stream file, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (await file.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken) < buffer.Length)
        {
            throw new InvalidDataException("it ends too early");
        }
    }

    private sealed class PartStream(SavedFileReader reader) : ReadOnlyStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => reader.ReadAsync(buffer, cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();
    }
}

/// <summary>A part as it was read.</summary>
/// <param name="Bytes">Of its content.</param>
/// <param name="StoredBytes">Of its content in the file.</param>
/// <param name="Sha256">Of its content, in hexadecimal digits.</param>
public sealed record SavedPartInfo(SavedPart Part, long Bytes, long StoredBytes, string Sha256);
