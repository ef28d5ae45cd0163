using ContainerMigrate.Network;
using ContainerMigrate.Protocol;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>
/// The source's part of keeping packets: from just before the freeze they are kept, and sent as they come to the destination, which delivers
/// them once it runs the container. Nothing that goes wrong here fails a migration: the packets are lost, as packets may be.
/// </summary>
internal sealed partial class DepartingPackets : IAsyncDisposable
{
    // All but the last of it has arrived long before.
    private static readonly TimeSpan EndsWithin = TimeSpan.FromSeconds(2);

    private readonly KeptPackets _packets = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly MigrationEnvironment _environment;
    private readonly string _networkNamespacePath;
    private readonly ILogger _logger;
    private IPacketKeeping? _keeping;
    private Task<StreamReply?>? _sent;

    private DepartingPackets(MigrationEnvironment environment, string networkNamespacePath, ILogger logger)
    {
        _environment = environment;
        _networkNamespacePath = networkNamespacePath;
        _logger = logger;
    }

    /// <summary>Before the freeze: prepares everything that takes time.</summary>
    public static async Task<DepartingPackets> OpenAsync(
        MigrationEnvironment environment, string networkNamespacePath, IPeer peer, string migrationId, ILogger logger, CancellationToken cancellationToken)
    {
        var packets = new DepartingPackets(environment, networkNamespacePath, logger);
        try
        {
            packets._keeping = await environment.Packets.OpenAsync(networkNamespacePath, packets._packets, cancellationToken);
            packets._sent = packets.SendAsync(peer, migrationId);
        }
        catch (MigrationException e)
        {
            packets.LogNotKept(e.Failure.Cause);
        }

        return packets;
    }

    /// <summary>From here on what arrives is kept.</summary>
    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        try
        {
            await (_keeping?.BeginAsync(cancellationToken) ?? Task.CompletedTask);
        }
        catch (MigrationException e)
        {
            LogNotKept(e.Failure.Cause);
        }
    }

    /// <summary>The destination runs the container, and the segment knows: sends the last ones and tells what became of all.</summary>
    /// <returns>Null where that is not known.</returns>
    public async Task<PacketTotals?> EndAsync()
    {
        if (_sent is null)
        {
            return null;
        }

        await EndKeepingAsync();
        _stop.CancelAfter(EndsWithin);
        if ((await _sent)?.Packets is not { } there)
        {
            return null;
        }

        var totals = new PacketTotals(_packets.Count + there.Kept, _packets.Bytes + there.Bytes, there.Delivered, _packets.Dropped + there.Dropped);
        LogDelivered(totals.Delivered, totals.Kept, totals.Bytes >> 10, totals.Dropped);
        return totals;
    }

    /// <summary>The container runs here again: what was kept is delivered here. Only where the destination will never run it.</summary>
    public async Task DeliverHereAsync()
    {
        if (_sent is null)
        {
            return;
        }

        await _stop.CancelAsync(); // the destination gives up as well, and its words for that say nothing new
        await EndKeepingAsync();
        if (_packets.Count == 0)
        {
            return;
        }

        try
        {
            using var delivery = await _environment.Packets.OpenDeliveryAsync(_networkNamespacePath, CancellationToken.None);
            var delivered = 0;
            for (var number = 0; _packets.TryGet(number, out var packet); number++)
            {
                delivered += delivery.TryDeliver(packet) ? 1 : 0;
            }

            LogDelivered(delivered, _packets.Count, _packets.Bytes >> 10, _packets.Dropped + _packets.Count - delivered);
        }
        catch (MigrationException e)
        {
            LogNotKept(e.Failure.Cause);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await EndKeepingAsync();
        await (_sent ?? Task.FromResult<StreamReply?>(null));
        _stop.Dispose();
    }

    private async Task EndKeepingAsync()
    {
        if (Interlocked.Exchange(ref _keeping, null) is { } keeping)
        {
            await keeping.DisposeAsync();
        }

        _packets.Complete();
    }

    private async Task<StreamReply?> SendAsync(IPeer peer, string migrationId)
    {
        try
        {
            return await peer.SendAsync(migrationId, BulkTransfer.Packets, (stream, token) => PacketStream.WriteAsync(stream, _packets, token), _stop.Token);
        }
        catch (Exception e) when (e is MigrationException or PeerUnreachableException or IOException)
        {
            LogNotSent(e.Message);
            return null;
        }
        catch (OperationCanceledException)
        {
            return null; // given up, or too late for the figures
        }
    }

    [LoggerMessage(LogLevel.Warning, "packets of the pause are not kept: {Reason}")]
    private partial void LogNotKept(string reason);

    [LoggerMessage(LogLevel.Warning, "packets of the pause do not reach the destination: {Reason}")]
    private partial void LogNotSent(string reason);

    [LoggerMessage(LogLevel.Information, "{Delivered} of {Kept} packets of the pause delivered ({Kibibytes} KiB), {Dropped} dropped")]
    private partial void LogDelivered(int delivered, int kept, long kibibytes, int dropped);
}
