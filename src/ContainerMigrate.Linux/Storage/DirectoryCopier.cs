using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Copies trees over <see cref="TreeStreamFormat"/>. Both ends work with two at a time: a thread that makes the system
/// calls of files, and a task that carries full blocks over the network. Wants root; keeps no state, any number of copies may run.
/// </summary>
/// <param name="options">What <see cref="ReceiveAsync"/> takes; null for the defaults.</param>
public sealed class DirectoryCopier(DirectoryCopierOptions? options = null) : IDirectoryCopier
{
    private readonly DirectoryCopierOptions _options = options ?? new DirectoryCopierOptions();

    /// <inheritdoc/>
    public Task<CopyTotals> MeasureAsync(string directory, CancellationToken cancellationToken) =>
        TreeTransfer.StartThread(
            () =>
            {
                using var cursor = new DirectoryCursor(directory);
                return TreeMeasurer.Run(cursor, cancellationToken);
            },
            cancellationToken);

    /// <inheritdoc/>
    /// <remarks>Times of access stay as they are. Directories and files that other file systems are mounted on arrive empty.</remarks>
    public async Task<CopyTotals> SendAsync(string directory, Stream destination, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var blocks = new BlockWriter(stop.Token);
        var walk = TreeTransfer.StartThread(
            () =>
            {
                using var cursor = new DirectoryCursor(directory);
                var totals = new TreeSender(cursor, new TreeRecordWriter(blocks), progress, stop.Token).Run();
                blocks.Complete();
                return totals;
            },
            stop.Token);
        await TreeTransfer.CompleteBothAsync(walk, blocks.PumpAsync(destination, stop.Token), stop);
        return await walk;
    }

    /// <inheritdoc/>
    /// <remarks>What arrived is in the page cache until <see cref="SyncAsync"/>.</remarks>
    public Task<CopyTotals> ReceiveAsync(string directory, Stream source, long maxBytes, CancellationToken cancellationToken) =>
        UnpackAsync(directory, source, maxBytes, mayChange: false, cancellationToken);

    /// <inheritdoc/>
    public Task<CopyTotals> ReceiveChangesAsync(string directory, Stream source, long maxBytes, CancellationToken cancellationToken) =>
        UnpackAsync(directory, source, maxBytes, mayChange: true, cancellationToken);

    /// <inheritdoc/>
    public Task SyncAsync(string directory, CancellationToken cancellationToken) =>
        TreeTransfer.StartThread(
            () =>
            {
                using var descriptor = Descriptor.OpenRoot(directory);
                return FileCalls.SyncFileSystem(descriptor.Value) == 0 ? 0 : throw FileError.Last("sync", directory);
            },
            cancellationToken);

    private async Task<CopyTotals> UnpackAsync(string directory, Stream source, long maxBytes, bool mayChange, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentOutOfRangeException.ThrowIfNegative(maxBytes);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var blocks = new BlockReader(stop.Token);
        var unpack = TreeTransfer.StartThread(
            () =>
            {
                using var cursor = new DirectoryCursor(directory);
                using var receiver = new TreeReceiver(cursor, new TreeRecordReader(blocks, mayChange), _options, maxBytes, stop.Token);
                return receiver.Run();
            },
            stop.Token);
        await TreeTransfer.CompleteBothAsync(unpack, blocks.PumpAsync(source, stop.Token), stop);
        return await unpack;
    }
}
