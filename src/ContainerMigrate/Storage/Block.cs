using System.Buffers;

namespace ContainerMigrate.Storage;

/// <summary>A pooled buffer on its way between the thread that knows files and the task that knows the network.</summary>
/// <param name="Buffer">Rented from <see cref="ArrayPool{T}.Shared"/>; <see cref="TreeStreamFormat.BlockHeaderLength"/> bytes, then the payload.</param>
/// <param name="Length">Bytes of payload.</param>
internal readonly record struct Block(byte[] Buffer, int Length)
{
    /// <summary>Blocks waiting between the two sides: enough to keep both busy, few enough to stay in the cache.</summary>
    public const int QueueLength = 3;

    public ReadOnlySpan<byte> Payload => Buffer.AsSpan(TreeStreamFormat.BlockHeaderLength, Length);

    public static byte[] Rent() => ArrayPool<byte>.Shared.Rent(TreeStreamFormat.BlockHeaderLength + TreeStreamFormat.MaxBlockLength);

    public void Return() => ArrayPool<byte>.Shared.Return(Buffer);
}
