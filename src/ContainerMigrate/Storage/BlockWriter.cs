using System.Buffers;
using System.Buffers.Binary;
using System.Threading.Channels;

namespace ContainerMigrate.Storage;

/// <summary>
/// Sending half of the block layer of <see cref="TreeStreamFormat"/>. One thread fills blocks with <see cref="GetSpan"/> and
/// <see cref="Advance"/> and ends with <see cref="Complete"/>; <see cref="PumpAsync"/> carries them to the stream meanwhile.
/// </summary>
/// <param name="cancellationToken">Ends the filling thread's waits; has to fire when the pump fails.</param>
public sealed class BlockWriter(CancellationToken cancellationToken)
{
    private readonly Channel<Block> _filled = Channel.CreateBounded<Block>(
        new BoundedChannelOptions(Block.QueueLength) { SingleReader = true, SingleWriter = true });

    private byte[]? _buffer;
    private int _length;

    /// <summary>The rest of the current block, or a new one where less than <paramref name="minimum"/> bytes are left.</summary>
    /// <param name="minimum">1..<see cref="TreeStreamFormat.MaxBlockLength"/> bytes.</param>
    /// <exception cref="OperationCanceledException">The other side has given up.</exception>
    public Span<byte> GetSpan(int minimum)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minimum, TreeStreamFormat.MaxBlockLength);
        if (_buffer is not null && TreeStreamFormat.MaxBlockLength - _length < minimum)
        {
            HandOver();
        }

        _buffer ??= Block.Rent();
        return _buffer.AsSpan(TreeStreamFormat.BlockHeaderLength + _length, TreeStreamFormat.MaxBlockLength - _length);
    }

    /// <summary>Keeps <paramref name="count"/> bytes of what <see cref="GetSpan"/> returned.</summary>
    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, TreeStreamFormat.MaxBlockLength - _length);
        _length += count;
    }

    /// <summary>Nothing follows: the pump writes the end and returns.</summary>
    public void Complete()
    {
        HandOver();
        _filled.Writer.Complete();
    }

    /// <summary>Writes blocks as they are filled, then total and digest, and flushes.</summary>
    /// <returns>Bytes written to <paramref name="destination"/>.</returns>
    public async Task<long> PumpAsync(Stream destination, CancellationToken pumpCancellation)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var digest = new StreamDigest();
        var written = 0L;
        while (await _filled.Reader.WaitToReadAsync(pumpCancellation))
        {
            while (_filled.Reader.TryRead(out var block))
            {
                BinaryPrimitives.WriteUInt32LittleEndian(block.Buffer, (uint)block.Length);
                digest.Append(block.Payload);
                await destination.WriteAsync(
                    block.Buffer.AsMemory(0, TreeStreamFormat.BlockHeaderLength + block.Length), pumpCancellation);
                written += TreeStreamFormat.BlockHeaderLength + block.Length;
                block.Return();
            }
        }

        var end = new byte[TreeStreamFormat.BlockHeaderLength + TreeStreamFormat.TrailerLength];
        BinaryPrimitives.WriteUInt64LittleEndian(end.AsSpan(TreeStreamFormat.BlockHeaderLength), digest.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(end.AsSpan(TreeStreamFormat.BlockHeaderLength + sizeof(ulong)), digest.GetCurrent());
        await destination.WriteAsync(end, pumpCancellation);
        await destination.FlushAsync(pumpCancellation);
        return written + end.Length;
    }

    private void HandOver()
    {
        if (_buffer is null)
        {
            return;
        }

        if (_length == 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
        }
        else
        {
            var block = new Block(_buffer, _length);
            while (!_filled.Writer.TryWrite(block))
            {
                // The filling side is a thread of its own (system calls block it anyway), so it may wait here.
                _ = _filled.Writer.WaitToWriteAsync(cancellationToken).AsTask().GetAwaiter().GetResult();
            }
        }

        _buffer = null;
        _length = 0;
    }
}
