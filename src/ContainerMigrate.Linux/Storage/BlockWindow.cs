using System.Buffers;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Looks, with all processors at once, which blocks of a piece of a file are still what was sent: in the pause that is most of every large file that was written to, and
/// reading it all is what takes the time.
/// </summary>
internal sealed class BlockWindow
{
    private const int Length = 32 << 20;
    private const int PieceLength = 256 << 10;
    private const int BlocksInPiece = PieceLength / BlockDigests.BlockLength;

    private readonly bool[] _isSame = new bool[Length / BlockDigests.BlockLength];
    private long _start;
    private long _end;

    /// <summary>Forgets what it knows: another file follows.</summary>
    public void Reset() => (_start, _end) = (0, 0);

    /// <summary>Whether a whole block is as it was; false also where that was not looked at.</summary>
    /// <param name="file">Open for reading.</param>
    /// <param name="blocks">Of what was sent.</param>
    /// <param name="position">Of the block; they are asked for in order.</param>
    /// <param name="dataEnd">Up to there the file has data, without a hole.</param>
    public bool IsSame(Descriptor file, BlockDigests blocks, long position, long dataEnd)
    {
        if (position >= _end)
        {
            var pieces = (int)(Math.Min(Length, dataEnd - position) / PieceLength);
            if (pieces < 2)
            {
                return false; // not worth it
            }

            (_start, _end) = (position, position + ((long)pieces * PieceLength));
            Parallel.For(0, pieces, piece => Look(file, blocks, piece));
        }

        return _isSame[(position - _start) / BlockDigests.BlockLength];
    }

    private unsafe void Look(Descriptor file, BlockDigests blocks, int piece)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(PieceLength);
        var position = _start + ((long)piece * PieceLength);
        nint length;
        fixed (byte* start = buffer)
        {
            // What cannot be read is not the same; whoever sends it says why.
            length = FileCalls.Read(file.Value, start, PieceLength, position);
        }

        for (var i = 0; i < BlocksInPiece; i++)
        {
            var at = i * BlockDigests.BlockLength;
            _isSame[(piece * BlocksInPiece) + i] =
                at + BlockDigests.BlockLength <= length && blocks.Matches(position + at, blocks.Hash.Of(buffer.AsSpan(at, BlockDigests.BlockLength)));
        }

        ArrayPool<byte>.Shared.Return(buffer);
    }
}
