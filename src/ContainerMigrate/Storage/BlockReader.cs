using System.Buffers.Binary;
using System.Threading.Channels;

namespace ContainerMigrate.Storage;

/// <summary>
/// Receiving half of the block layer of <see cref="TreeStreamFormat"/>. <see cref="PumpAsync"/> reads and digests blocks and never reads
/// beyond the stream's own end; one thread takes the payload with <see cref="Take"/> meanwhile.
/// </summary>
/// <param name="cancellationToken">Ends the taking thread's waits; has to fire when the pump fails.</param>
public sealed class BlockReader(CancellationToken cancellationToken)
{
    private readonly Channel<Block> _filled = Channel.CreateBounded<Block>(
        new BoundedChannelOptions(Block.QueueLength) { SingleReader = true, SingleWriter = true });

    private Block? _current;
    private int _position;

    /// <summary>Reads blocks up to and with the end; returns when its digest was right.</summary>
    /// <exception cref="InvalidDataException">A length is out of bounds, the stream ends early, total or digest differ.</exception>
    public async Task PumpAsync(Stream source, CancellationToken pumpCancellation)
    {
        ArgumentNullException.ThrowIfNull(source);
        var digest = new StreamDigest();
        var head = new byte[TreeStreamFormat.BlockHeaderLength];
        while (true)
        {
            await ReadAsync(source, head, digest, pumpCancellation);
            var length = BinaryPrimitives.ReadUInt32LittleEndian(head);
            if (length == 0)
            {
                break;
            }

            if (length > TreeStreamFormat.MaxBlockLength)
            {
                throw new InvalidDataException($"file stream: a block of {length} bytes (at most {TreeStreamFormat.MaxBlockLength} are allowed)");
            }

            var block = new Block(Block.Rent(), (int)length);
            await ReadAsync(source, block.Buffer.AsMemory(TreeStreamFormat.BlockHeaderLength, block.Length), digest, pumpCancellation);
            digest.Append(block.Payload);
            await _filled.Writer.WriteAsync(block, pumpCancellation);
        }

        var trailer = new byte[TreeStreamFormat.TrailerLength];
        await ReadAsync(source, trailer, digest, pumpCancellation);
        var total = BinaryPrimitives.ReadUInt64LittleEndian(trailer);
        if (total != digest.Length)
        {
            throw new InvalidDataException($"file stream: {digest.Length} bytes arrived, the sender counted {total}");
        }

        var expected = BinaryPrimitives.ReadUInt64LittleEndian(trailer.AsSpan(sizeof(ulong)));
        if (expected != digest.GetCurrent())
        {
            throw new InvalidDataException($"file stream: digest {digest.GetCurrent():x16} of what arrived is not the sender's {expected:x16}");
        }

        _filled.Writer.Complete();
    }

    /// <summary>Goes to the next block where the current one is used up; a record has to lie in one block as a whole.</summary>
    /// <remarks>What <see cref="Take"/> gave before is not valid any more: its buffer may be filled with something else at once.</remarks>
    /// <exception cref="InvalidDataException">The payload ends here.</exception>
    /// <exception cref="OperationCanceledException">The other side has given up.</exception>
    public void BeginRecord()
    {
        if ((_current is not { } block || _position == block.Length) && NextBlock() is null)
        {
            throw new InvalidDataException("file stream: it ends before the tree does");
        }
    }

    /// <summary>The next <paramref name="count"/> bytes of the record; valid until <see cref="BeginRecord"/>.</summary>
    /// <exception cref="InvalidDataException">The record crosses the block's end.</exception>
    public ReadOnlyMemory<byte> Take(int count)
    {
        if (_current is not { } block || count > block.Length - _position)
        {
            throw new InvalidDataException("file stream: a record crosses the end of its block");
        }

        var taken = block.Buffer.AsMemory(TreeStreamFormat.BlockHeaderLength + _position, count);
        _position += count;
        return taken;
    }

    /// <summary>True when all was taken and the end of the stream was verified.</summary>
    public bool IsAtEnd() => (_current is not { } block || _position == block.Length) && NextBlock() is null;

    private static async Task ReadAsync(Stream source, Memory<byte> buffer, StreamDigest digest, CancellationToken cancellationToken)
    {
        try
        {
            await source.ReadExactlyAsync(buffer, cancellationToken);
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException($"file stream: it ends early, after {digest.Length} bytes of payload", e);
        }
    }

    private Block? NextBlock()
    {
        _current?.Return();
        _current = null;
        _position = 0;
        Block block;
        while (!_filled.Reader.TryRead(out block))
        {
            // The taking side is a thread of its own (system calls block it anyway), so it may wait here.
            if (!_filled.Reader.WaitToReadAsync(cancellationToken).AsTask().GetAwaiter().GetResult())
            {
                return null;
            }
        }

        _current = block;
        return block;
    }
}
