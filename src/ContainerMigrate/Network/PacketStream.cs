using System.Buffers.Binary;

namespace ContainerMigrate.Network;

/// <summary>
/// Kept packets on their way to another host, sent as they arrive: each a length of 4 bytes (little-endian) and the packet; a length of
/// 0 is the end. It begins with 4 bytes that are always the same, so that the connection stands before there is anything to send.
/// </summary>
internal static class PacketStream
{
    private const uint Magic = 0x314B5043; // "CPK1"
    private const int BatchBytes = 64 << 10;

    /// <summary>Sends all packets until they are complete.</summary>
    public static async Task WriteAsync(Stream stream, KeptPackets packets, CancellationToken cancellationToken)
    {
        var buffer = new byte[BatchBytes + sizeof(uint) + KeptPackets.MaxPacketBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(buffer, Magic);
        await SendAsync(sizeof(uint));
        var next = 0;
        while (await packets.WaitAsync(next, cancellationToken))
        {
            var filled = 0;
            for (; filled < BatchBytes && packets.TryGet(next, out var packet); next++)
            {
                BinaryPrimitives.WriteInt32LittleEndian(buffer.AsSpan(filled), packet.Length);
                packet.CopyTo(buffer, filled + sizeof(uint));
                filled += sizeof(uint) + packet.Length;
            }

            await SendAsync(filled);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(buffer, 0);
        await SendAsync(sizeof(uint));

        async Task SendAsync(int bytes)
        {
            await stream.WriteAsync(buffer.AsMemory(0, bytes), cancellationToken);
            await stream.FlushAsync(cancellationToken);
        }
    }

    /// <summary>Adds all packets that arrive, until their end; the caller completes <paramref name="packets"/>.</summary>
    /// <exception cref="InvalidDataException">It is no such stream.</exception>
    /// <exception cref="EndOfStreamException">It ended early.</exception>
    public static async Task ReadAsync(Stream stream, KeptPackets packets, CancellationToken cancellationToken)
    {
        var buffer = new byte[KeptPackets.MaxPacketBytes];
        if (await ReadNumberAsync() != Magic)
        {
            throw new InvalidDataException("this is no stream of packets");
        }

        while (await ReadNumberAsync() is var length and > 0)
        {
            if (length > KeptPackets.MaxPacketBytes)
            {
                throw new InvalidDataException($"a packet of {length} bytes");
            }

            await stream.ReadExactlyAsync(buffer.AsMemory(0, (int)length), cancellationToken);
            packets.Add(buffer.AsSpan(0, (int)length));
        }

        async ValueTask<uint> ReadNumberAsync()
        {
            await stream.ReadExactlyAsync(buffer.AsMemory(0, sizeof(uint)), cancellationToken);
            return BinaryPrimitives.ReadUInt32LittleEndian(buffer);
        }
    }
}
