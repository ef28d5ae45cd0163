using ContainerMigrate.Migration;
using ContainerMigrate.Network;

namespace ContainerMigrate.Tests.Migration;

/// <summary>Packets on a made-up machine: a test says which arrive, and sees which were delivered.</summary>
internal sealed class MachinePackets : IPacketKeeper
{
    private readonly List<byte[]> _delivered = [];

    /// <summary>What arrives as soon as packets are kept; null on a kernel that cannot keep any.</summary>
    public IReadOnlyList<byte[]>? Arriving { get; set; }

    public IReadOnlyList<byte[]> Delivered
    {
        get
        {
            lock (_delivered)
            {
                return [.. _delivered];
            }
        }
    }

    public Task<IPacketKeeping> OpenAsync(string networkNamespacePath, KeptPackets packets, CancellationToken cancellationToken) =>
        Arriving is null ? throw new MigrationException("fence", "packets cannot be copied: Operation not supported") : Task.FromResult<IPacketKeeping>(new Keeping(Arriving, packets));

    public Task<IPacketDelivery> OpenDeliveryAsync(string networkNamespacePath, CancellationToken cancellationToken) => Task.FromResult<IPacketDelivery>(new Delivery(_delivered));

    private sealed class Keeping(IReadOnlyList<byte[]> arriving, KeptPackets packets) : IPacketKeeping
    {
        public Task BeginAsync(CancellationToken cancellationToken)
        {
            foreach (var packet in arriving)
            {
                packets.Add(packet);
            }

            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class Delivery(List<byte[]> delivered) : IPacketDelivery
    {
        public bool TryDeliver(ReadOnlySpan<byte> packet)
        {
            lock (delivered)
            {
                delivered.Add(packet.ToArray());
            }

            return true;
        }

        public void Dispose()
        {
        }
    }
}
