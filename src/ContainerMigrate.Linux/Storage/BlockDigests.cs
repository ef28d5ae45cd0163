using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// What a file's content was when it was sent last: half of a SHA-256 for each <see cref="BlockLength"/> bytes, which is 256 KiB for a file of
/// 1 GiB. Always of what was sent, never of what was read beside it: a block that is taken for unchanged is not sent again.
/// </summary>
internal sealed class BlockDigests
{
    /// <summary>Bytes that are sent again when one of them has changed.</summary>
    public const int BlockLength = 64 * 1024;

    private readonly List<UInt128> _blocks = [];
    private byte[] _block = [];
    private int _filled;
    private bool _isHole;

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

    /// <summary>Whether a block was sent with this content.</summary>
    /// <param name="position">Of the block; blocks are asked for in order.</param>
    /// <param name="digest">Of its content, by <see cref="Of"/>; 0 for a hole.</param>
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

    /// <summary>The digest of one block's content.</summary>
    public static UInt128 Of(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        _ = SHA256.HashData(content, hash);
        return MemoryMarshal.Read<UInt128>(hash);
    }

    private void EndBlock(int minimum)
    {
        if (_filled >= minimum)
        {
            _blocks.Add(_isHole ? UInt128.Zero : Of(_block.AsSpan(0, _filled)));
            (_filled, _isHole) = (0, true);
        }
    }
}
