using System.Buffers;
using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// What a file's content was when it was sent last: a digest for each <see cref="BlockLength"/> bytes, which is 2 MiB for a file of
/// 1 GiB. Always of what was sent, never of what was read beside it: a block that is taken for unchanged is not sent again.
/// </summary>
/// <param name="hash">Of which the digests are.</param>
internal sealed class BlockDigests(BlockHash hash)
{
    /// <summary>Bytes that are sent again when one of them has changed: a page of most databases. They write pages all over their files, and eight times the length is eight times the bytes.</summary>
    public const int BlockLength = BlockHash.MaxLength;

    private readonly List<UInt128> _blocks = [];
    private byte[] _block = [];
    private int _filled;
    private bool _isHole;

    /// <summary>Of which the digests are.</summary>
    public BlockHash Hash => hash;

    /// <summary>Bytes that this takes.</summary>
    public long Cost => 256 + (16L * _blocks.Count);

    /// <summary>Forgets all; content follows from its start.</summary>
    public void Begin()
    {
        _blocks.Clear();
        _block = ArrayPool<byte>.Shared.Rent(BlockLength);
        (_filled, _isHole) = (0, true);
    }

    /// <summary>The next piece of content.</summary>
    public void Append(ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            var piece = data[..Math.Min(BlockLength - _filled, data.Length)];
            piece.CopyTo(_block.AsSpan(_filled));
            _isHole = false;
            _filled += piece.Length;
            data = data[piece.Length..];
            EndBlock(BlockLength);
        }
    }

    /// <summary>The next bytes are a hole.</summary>
    public void AppendHole(long length)
    {
        while (length > 0)
        {
            var piece = (int)Math.Min(BlockLength - _filled, length);
            _block.AsSpan(_filled, piece).Clear();
            _filled += piece;
            length -= piece;
            EndBlock(BlockLength);
        }
    }

    /// <summary>No more content follows.</summary>
    public void End()
    {
        EndBlock(1);
        ArrayPool<byte>.Shared.Return(_block);
        _block = [];
    }

    /// <summary>The next block was sent with this content.</summary>
    public void Add(UInt128 digest) => _blocks.Add(digest);

    /// <summary>Whether a block was sent with this content.</summary>
    /// <param name="position">Of the block; blocks are asked for in order.</param>
    /// <param name="digest">Of its content, by <see cref="Hash"/>; 0 for a hole.</param>
    public bool Matches(long position, UInt128 digest)
    {
        var index = (int)(position / BlockLength);
        return index < _blocks.Count && _blocks[index] == digest;
    }

    /// <summary>A block is sent with this content.</summary>
    public void Set(long position, UInt128 digest)
    {
        var index = (int)(position / BlockLength);
        if (index == _blocks.Count)
        {
            _blocks.Add(digest);
        }
        else
        {
            _blocks[index] = digest;
        }
    }

    /// <summary>The file ends here.</summary>
    public void Cut(long size)
    {
        var count = (int)((size + BlockLength - 1) / BlockLength);
        if (count < _blocks.Count)
        {
            _blocks.RemoveRange(count, _blocks.Count - count);
        }
    }

    /// <summary>Reads a file whose content does not change.</summary>
    /// <param name="hash">Makes the digests.</param>
    /// <param name="visit">Gets the digest of one block after the other; 0 for a hole.</param>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static unsafe void Read(Descriptor file, in FileStatus status, DirectoryCursor place, ReadOnlySpan<byte> name, BlockHash hash, Action<UInt128> visit, CancellationToken cancellationToken)
    {
        const int PieceLength = 32 * BlockLength;
        var buffer = ArrayPool<byte>.Shared.Rent(PieceLength);
        var extents = new FileExtents(file, status);
        var (start, end) = (0L, 0L);
        for (var position = 0L; position < extents.Size;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (position >= end)
            {
                extents.Find(position, out start, out end);
            }

            var wanted = (int)Math.Min(BlockLength, extents.Size - position);
            if (start >= position + wanted)
            {
                visit(UInt128.Zero);
                position += wanted;
                continue;
            }

            wanted = (int)Math.Min(PieceLength, Math.Max(Math.Min(end, extents.Size) - position, wanted));
            var length = 0;
            fixed (byte* bytes = buffer)
            {
                nint count;
                while (length < wanted && (count = FileCalls.Read(file.Value, bytes + length, (nuint)(wanted - length), position + length)) != 0)
                {
                    length += count > 0 ? (int)count : Marshal.GetLastPInvokeError() == ErrorCode.Interrupted ? 0 : throw FileError.Last("read", place.Describe(name));
                }
            }

            // Whole blocks, but at the file's end: where a hole begins in one, the next look has to begin with it.
            var whole = position + length < extents.Size && length >= BlockLength ? length / BlockLength * BlockLength : length;
            for (var at = 0; at < whole; at += BlockLength)
            {
                visit(hash.Of(buffer.AsSpan(at, Math.Min(BlockLength, whole - at))));
            }

            position += whole;
            if (length < wanted)
            {
                break;
            }
        }

        ArrayPool<byte>.Shared.Return(buffer);
    }

    private void EndBlock(int minimum)
    {
        if (_filled >= minimum)
        {
            _blocks.Add(_isHole ? UInt128.Zero : hash.Of(_block.AsSpan(0, _filled)));
            (_filled, _isHole) = (0, true);
        }
    }
}
