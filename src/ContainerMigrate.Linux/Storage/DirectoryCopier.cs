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
        StartThread(
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
        var walk = StartThread(
            () =>
            {
                using var cursor = new DirectoryCursor(directory);
                var totals = new TreeSender(cursor, new TreeRecordWriter(blocks), progress, stop.Token).Run();
                blocks.Complete();
                return totals;
            },
            stop.Token);
        await CompleteBothAsync(walk, blocks.PumpAsync(destination, stop.Token), stop);
        return await walk;
    }

    /// <inheritdoc/>
    /// <remarks>What arrived is in the page cache until <see cref="SyncAsync"/>.</remarks>
    public async Task<CopyTotals> ReceiveAsync(string directory, Stream source, long maxBytes, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentOutOfRangeException.ThrowIfNegative(maxBytes);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var blocks = new BlockReader(stop.Token);
        var unpack = StartThread(
            () =>
            {
                using var cursor = new DirectoryCursor(directory);
                using var receiver = new TreeReceiver(cursor, new TreeRecordReader(blocks), _options, maxBytes, stop.Token);
                return receiver.Run();
            },
            stop.Token);
        await CompleteBothAsync(unpack, blocks.PumpAsync(source, stop.Token), stop);
        return await unpack;
    }

    /// <inheritdoc/>
    public Task SyncAsync(string directory, CancellationToken cancellationToken) =>
        StartThread(
            () =>
            {
                using var descriptor = Descriptor.OpenRoot(directory);
                return FileCalls.SyncFileSystem(descriptor.Value) == 0 ? 0 : throw FileError.Last("sync", directory);
            },
            cancellationToken);

    /// <summary>Waits for both; the first that fails stops the other, and its reason is the one thrown.</summary>
    private static async Task CompleteBothAsync(Task one, Task other, CancellationTokenSource stop)
    {
        var first = await Task.WhenAny(one, other);
        if (!first.IsCompletedSuccessfully)
        {
            await stop.CancelAsync();
        }

        var second = first == one ? other : one;
        await Task.WhenAny(second);
        await first;
        await second;
    }

    private static Task<T> StartThread<T>(Func<T> work, CancellationToken cancellationToken) =>
        Task.Factory.StartNew(work, cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
