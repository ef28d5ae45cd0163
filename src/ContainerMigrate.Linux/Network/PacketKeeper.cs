using System.Net.Sockets;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;

namespace ContainerMigrate.Linux.Network;

/// <inheritdoc cref="IPacketKeeper"/>
public sealed class PacketKeeper : IPacketKeeper
{
    /// <inheritdoc/>
    public async Task<IPacketKeeping> OpenAsync(string networkNamespacePath, KeptPackets packets, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            if (NetworkNamespace.IsHosts(networkNamespacePath))
            {
                throw new MigrationException("fence", $"{networkNamespacePath} is this host's own network");
            }

            var keeping = new LogKeeping(networkNamespacePath, packets);
            await keeping.OpenAsync();
            return keeping;
        }
        catch (IOException e)
        {
            throw new MigrationException("fence", $"packets cannot be copied: {e.Message}", innerException: e);
        }
    }

    /// <inheritdoc/>
    public async Task<IPacketDelivery> OpenDeliveryAsync(string networkNamespacePath, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            return await FrameDelivery.OpenAsync(networkNamespacePath);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new MigrationException("fence", $"packets cannot be delivered: {e.Message}", innerException: e);
        }
    }
}
