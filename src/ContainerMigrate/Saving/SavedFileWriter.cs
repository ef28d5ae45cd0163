using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Saving;

/// <summary>Writes a saved container, part after part. Holds two frames in memory.</summary>
public sealed class SavedFileWriter : IDisposable
{
    // The container may be frozen meanwhile: of what Brotli offers this is the fastest by far.
    private const int Quality = 1;
    private const int WindowBits = 20;

    private readonly Stream _file;
    private readonly FrameSeal _seal;
    private readonly byte[] _pending = GC.AllocateUninitializedArray<byte>(SavedFormat.MaxFrameBytes);
    private readonly byte[] _frame = GC.AllocateUninitializedArray<byte>(SavedFormat.FrameHeaderBytes + SavedFormat.MaxFrameBytes + SavedFormat.DigestBytes);
    private readonly IncrementalHash _digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private SavedPart? _part;
    private int _pendingBytes;
    private long _partBytes;
    private int _parts;

    /// <param name="file">At its beginning; not disposed.</param>
    /// <param name="secret">Null leaves the file readable for whoever may open it.</param>
    public SavedFileWriter(Stream file, SavedSecret? secret)
    {
        ArgumentNullException.ThrowIfNull(file);
        _file = file;
        var salt = SavedFormat.NewSalt();
        var header = SavedFormat.MakeHeader(secret is null ? SavedProtection.None : SavedSecret.Check(secret).Protection, salt);
        _seal = new FrameSeal(header, secret?.MakeKey(salt, SavedFormat.Iterations));
        file.Write(header);
    }

    /// <summary>Writes one part; what <paramref name="write"/> writes to its stream.</summary>
    /// <returns>Bytes of its content.</returns>
    public async Task<long> WriteAsync(SavedPart part, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(write);
        if (_part is not null || _parts == SavedFormat.MaxParts)
        {
            throw new InvalidOperationException("one part after the other, and no more than there may be");
        }

        (_part, _partBytes, _pendingBytes) = (part, 0, 0);
        _parts++;
        await PutAsync(SavedFrame.Begin, ReadOnlyMemory<byte>.Empty, cancellationToken);
        await using (var content = new PartStream(this))
        {
            await write(content, cancellationToken);
        }

        await FlushAsync(cancellationToken);
        var end = new byte[SavedFormat.EndBytes];
        BinaryPrimitives.WriteInt64LittleEndian(end, _partBytes);
        _digest.GetHashAndReset(end.AsSpan(8));
        await PutAsync(SavedFrame.End, end, cancellationToken);
        _part = null;
        return _partBytes;
    }

    /// <summary>Ends the file. Not durable before whoever opened it has said so to the disk.</summary>
    public async Task CompleteAsync(CancellationToken cancellationToken)
    {
        var count = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(count, _parts);
        await PutAsync(SavedFrame.Close, count, cancellationToken);
        await _file.FlushAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _seal.Dispose();
        _digest.Dispose();
    }

    private async ValueTask AppendAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        while (!content.IsEmpty)
        {
            var taken = Math.Min(content.Length, _pending.Length - _pendingBytes);
            content[..taken].CopyTo(_pending.AsMemory(_pendingBytes));
            _pendingBytes += taken;
            content = content[taken..];
            if (_pendingBytes == _pending.Length)
            {
                await FlushAsync(cancellationToken);
            }
        }
    }

    private async Task FlushAsync(CancellationToken cancellationToken)
    {
        if (_pendingBytes > 0)
        {
            _digest.AppendData(_pending, 0, _pendingBytes);
            _partBytes += _pendingBytes;
            await PutAsync(SavedFrame.Data, _pending.AsMemory(0, _pendingBytes), cancellationToken);
            _pendingBytes = 0;
        }
    }

    private async Task PutAsync(SavedFrame kind, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await _file.WriteAsync(_frame.AsMemory(0, Frame(kind, content.Span)), cancellationToken);
    }

    private int Frame(SavedFrame kind, ReadOnlySpan<byte> content)
    {
        var place = _frame.AsSpan(SavedFormat.FrameHeaderBytes, SavedFormat.MaxFrameBytes);
        var stored = 0;
        var isCompressed = kind == SavedFrame.Data && BrotliEncoder.TryCompress(content, place[..Math.Max(0, content.Length - 1)], out stored, Quality, WindowBits);
        if (!isCompressed)
        {
            content.CopyTo(place);
            stored = content.Length;
        }

        var header = _frame.AsSpan(0, SavedFormat.FrameHeaderBytes);
        header[0] = (byte)kind;
        header[1] = isCompressed ? SavedFormat.Compressed : SavedFormat.AsItIs;
        BinaryPrimitives.WriteUInt16LittleEndian(header[2..], (ushort)(_part is { } part ? (int)part : 0));
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], stored);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], content.Length);
        _seal.Seal(header, place[..stored], _frame.AsSpan(SavedFormat.FrameHeaderBytes + stored, _seal.TagBytes));
        return SavedFormat.FrameHeaderBytes + stored + _seal.TagBytes;
    }

    private sealed class PartStream(SavedFileWriter writer) : WriteOnlyStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => writer.AppendAsync(buffer, cancellationToken);

        public override void Write(byte[] buffer, int offset, int count) => WriteAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();
    }
}
