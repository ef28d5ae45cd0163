using ContainerMigrate.Network;
using ContainerMigrate.Protocol;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>
/// The destination's part of keeping packets: those that the source sends and those that come here before the container runs are
/// delivered, in that order, as soon as its sockets are there and the fence is open; after an abort, none is. Nothing that goes wrong
/// here fails a migration.
/// </summary>
internal sealed partial class ArrivingPackets(MigrationEnvironment environment, ILogger logger) : IAsyncDisposable
{
    // The source ends the stream right after the answer to GO; should it be gone, nobody waits for it longer.
    private static readonly TimeSpan SourceEndsWithin = TimeSpan.FromSeconds(10);

    // For a stream that has not even begun; it is sent before the freeze, where the source keeps anything.
    private static readonly TimeSpan SourceBeginsWithin = TimeSpan.FromSeconds(2);

    private readonly KeptPackets _carried = new();
    private readonly KeptPackets _direct = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _endOfStream = new();
    private readonly TaskCompletionSource<PacketTotals?> _totals = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _receiving;
    private int _delivering;
    private IPacketKeeping? _keeping;
    private Task<IPacketDelivery?>? _delivery;
    private Task _delivered = Task.CompletedTask;

    /// <summary>The restored namespace is there, fenced, and may get links: keeps what comes.</summary>
    public async Task KeepAsync(string networkNamespacePath)
    {
        try
        {
            _keeping = await environment.Packets.OpenAsync(networkNamespacePath, _direct, _stop.Token);
            await _keeping.BeginAsync(_stop.Token);
        }
        catch (MigrationException e)
        {
            LogNotKept(e.Failure.Cause);
        }
    }

    /// <summary>The links are there: prepares to deliver through them.</summary>
    public void PrepareDelivery(string? networkNamespacePath) =>
        _delivery ??= networkNamespacePath is null ? null : OpenDeliveryAsync(networkNamespacePath);

    /// <summary>Takes the source's packets until it ends the stream, which it does when the container runs here.</summary>
    /// <returns>Also what became of the packets.</returns>
    public async Task<StreamReply> ReceiveAsync(Stream source, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _receiving, 1) != 0)
        {
            throw new MigrationException("protocol", "there is one stream of packets");
        }

        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(both.Token, _endOfStream.Token);
        try
        {
            await PacketStream.ReadAsync(source, _carried, reading.Token);
        }
        finally
        {
            _carried.Complete();
        }

        var totals = await _totals.Task.WaitAsync(both.Token);
        return new StreamReply(_carried.Count, _carried.Bytes, totals);
    }

    /// <summary>Committed: delivers once <paramref name="opened"/> says that the fence is open. Only the first call counts; returns at once.</summary>
    public void DeliverAfter(Task opened)
    {
        if (Interlocked.Exchange(ref _delivering, 1) == 0)
        {
            _delivered = DeliverAsync(opened);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (Interlocked.Exchange(ref _delivering, 1) == 0)
        {
            await EndAsync();
        }

        await _delivered;
    }

    private async Task DeliverAsync(Task opened)
    {
        int delivered = 0, refused = 0;
        try
        {
            await opened.WaitAsync(_stop.Token);
            var delivery = await (_delivery ?? Task.FromResult<IPacketDelivery?>(null));
            var carried = DeliverAll(delivery, _carried, 0);
            var direct = DeliverAll(delivery, _direct, 0);
            // From here on they come by themselves; those that were kept meanwhile must not wait for that.
            var ended = EndKeepingAsync();
            while (await _direct.WaitAsync(direct, _stop.Token))
            {
                direct = DeliverAll(delivery, _direct, direct);
            }

            await ended;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            limit.CancelAfter(Volatile.Read(ref _receiving) == 0 ? SourceBeginsWithin : SourceEndsWithin);
            while (await _carried.WaitAsync(carried, limit.Token))
            {
                carried = DeliverAll(delivery, _carried, carried);
            }
        }
        catch (OperationCanceledException)
        {
            // Removed, or the source is gone.
        }
        finally
        {
            await _endOfStream.CancelAsync(); // a sender that goes on is not listened to
            _totals.TrySetResult(new PacketTotals(_direct.Count, _direct.Bytes, delivered, _carried.Dropped + _direct.Dropped + refused));
            await EndAsync();
        }

        if (_carried.Count + _direct.Count > 0)
        {
            LogDelivered(delivered, _carried.Count, _direct.Count, _carried.Dropped + _direct.Dropped + refused);
        }

        int DeliverAll(IPacketDelivery? delivery, KeptPackets packets, int next)
        {
            for (; packets.TryGet(next, out var packet); next++)
            {
                _ = delivery?.TryDeliver(packet) is true ? delivered++ : refused++;
            }

            return next;
        }
    }

    private async Task EndAsync()
    {
        await EndKeepingAsync();
        if (_delivery is not null)
        {
            (await _delivery)?.Dispose();
        }
    }

    private async Task EndKeepingAsync()
    {
        if (Interlocked.Exchange(ref _keeping, null) is { } keeping)
        {
            await keeping.DisposeAsync();
        }

        _direct.Complete();
    }

    private async Task<IPacketDelivery?> OpenDeliveryAsync(string networkNamespacePath)
    {
        try
        {
            return await environment.Packets.OpenDeliveryAsync(networkNamespacePath, _stop.Token);
        }
        catch (MigrationException e)
        {
            LogNotKept(e.Failure.Cause);
            return null;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    [LoggerMessage(LogLevel.Warning, "packets of the pause are not kept: {Reason}")]
    private partial void LogNotKept(string reason);

    [LoggerMessage(LogLevel.Information, "{Delivered} packets of the pause delivered, of {Carried} that the source kept and {Direct} that came here; {Dropped} dropped")]
    private partial void LogDelivered(int delivered, int carried, int direct, int dropped);
}
