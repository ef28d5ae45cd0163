using System.Buffers;
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>
/// The memory that Kestrel's connections read into. Its own pools hand out 4 KiB at a time, and as much is received by one system call: a
/// stream of memory then spends more on being received than on being decrypted. Idle connections hold none of it.
/// </summary>
internal sealed class ConnectionMemory : IMemoryPoolFactory<byte>
{
    /// <summary>Holds the TLS records that a socket has brought by the time it is read.</summary>
    private const int BlockBytes = 128 << 10;

    // What pools keep for later, all together; more is left to the garbage collector.
    private const int MaxKept = 128;

    private readonly ConcurrentQueue<byte[]> _free = new();
    private int _kept;

    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new Pool(this);

    private byte[] Take()
    {
        if (!_free.TryDequeue(out var block))
        {
            // Pinned where it is: the kernel writes to it while the garbage collector moves others.
            return GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true);
        }

        Interlocked.Decrement(ref _kept);
        return block;
    }

    private void GiveBack(byte[] block)
    {
        if (Interlocked.Increment(ref _kept) <= MaxKept)
        {
            _free.Enqueue(block);
        }
        else
        {
            Interlocked.Decrement(ref _kept);
        }
    }

    private sealed class Pool(ConnectionMemory owner) : MemoryPool<byte>
    {
        public override int MaxBufferSize => BlockBytes;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1) =>
            minBufferSize <= BlockBytes ? new Block(owner) : throw new ArgumentOutOfRangeException(nameof(minBufferSize));

        protected override void Dispose(bool disposing)
        {
        }
    }

    private sealed class Block(ConnectionMemory owner) : IMemoryOwner<byte>
    {
        private byte[]? _content = owner.Take();

        public Memory<byte> Memory => _content ?? throw new ObjectDisposedException(nameof(Block));

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _content, null) is { } content)
            {
                owner.GiveBack(content);
            }
        }
    }
}
