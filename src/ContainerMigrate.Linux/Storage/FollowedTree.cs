using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// A tree that is sent in rounds. Between two of them it keeps about 110 bytes for each entry, twice as much while it scans, and
/// 2 MiB for each GiB of files that are written all the time.
/// </summary>
/// <param name="directory">Root of the tree.</param>
/// <param name="findWriters">Who may write to it without a trace, from now on.</param>
/// <param name="maxEntries">A tree with more is sent whole, by the last round.</param>
/// <param name="only">Nothing but the entry of that name belongs to it; null: everything.</param>
internal sealed class FollowedTree(string directory, Func<DirectoryCursor, ContainerWriters> findWriters, int maxEntries = FollowedTree.MaxEntries, byte[]? only = null) : IFollowedTree
{
    /// <summary>220 MB of memory.</summary>
    public const int MaxEntries = 2_000_000;

    private TreeSnapshot _sent = TreeSnapshot.Empty();
    private TreeSnapshot? _found;
    private ContainerWriters? _writers;
    private ulong _lastLink;
    private bool _isFirst = true;
    private bool _isTooLarge;

    /// <inheritdoc/>
    public Task<string?> FindObstacleAsync(CancellationToken cancellationToken) =>
        TreeTransfer.StartThread(() => FileSystemKind.FindObstacle(directory), cancellationToken);

    /// <inheritdoc/>
    public async Task TakeKeptAsync(Stream listing, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(listing);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var blocks = new BlockReader(stop.Token);
        var read = TreeTransfer.StartThread(() => KeptListing.Read(blocks, maxEntries), stop.Token);
        await TreeTransfer.CompleteBothAsync(read, blocks.PumpAsync(listing, stop.Token), stop);
        _sent = await read;
    }

    /// <inheritdoc/>
    public Task<TreeChanges> ScanAsync(bool isLast, CancellationToken cancellationToken) =>
        TreeTransfer.StartThread(() => Scan(isLast, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async Task<CopyTotals> SendAsync(Stream destination, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var blocks = new BlockWriter(stop.Token);
        var walk = TreeTransfer.StartThread(
            () =>
            {
                var totals = _isTooLarge ? SendWhole(blocks, progress, stop.Token) : SendChanges(blocks, progress, stop.Token);
                blocks.Complete();
                return totals;
            },
            stop.Token);
        await TreeTransfer.CompleteBothAsync(walk, blocks.PumpAsync(destination, stop.Token), stop);
        return await walk;
    }

    private TreeChanges Scan(bool isLast, CancellationToken cancellationToken)
    {
        using var cursor = new DirectoryCursor(directory);
        _found = _isTooLarge ? null : TreeScanner.Run(cursor, _sent.Count, maxEntries, cancellationToken, only);
        if (_found is null)
        {
            return TooLarge(isLast);
        }

        // After the scan, so that what it does not know yet is found by its path; before anything is read.
        _writers = isLast ? null : findWriters(cursor);
        var (entries, bytes) = new TreeComparison(_sent, _found, isLast, s => _writers?.IsWriting(s) ?? false).Run();
        return new TreeChanges(_found.Count - 1, entries, bytes, _isFirst || _found[0].Action != EntryAction.None);
    }

    // The memory that it would take is not bounded by anything else.
    private TreeChanges TooLarge(bool isLast)
    {
        // What is sent whole goes into an empty directory.
        if (!_isFirst || _sent.Count > 1)
        {
            throw new IOException($"{directory}: it has more than {maxEntries} entries by now");
        }

        _isTooLarge = true;
        return new TreeChanges(maxEntries, 0, 0, isLast);
    }

    private CopyTotals SendWhole(BlockWriter blocks, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        using var cursor = new DirectoryCursor(directory);
        return new TreeSender(cursor, new TreeRecordWriter(blocks), progress, cancellationToken).Run();
    }

    private CopyTotals SendChanges(BlockWriter blocks, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        var found = _found ?? throw new InvalidOperationException("a scan comes first");
        using var cursor = new DirectoryCursor(directory);
        var records = new TreeRecordWriter(blocks, TreeStreamFormat.Changes);
        var content = new FileContentSender(records, progress, cancellationToken);
        var links = new LinkIds(_lastLink);
        var sender = new TreeChangeSender(
            cursor, records, new TreeEntrySender(cursor, records, links, content), _sent, found,
            s => _writers?.Doubt(s) ?? EntryDoubt.None, _writers is null ? null : new DigestBudget(DigestBudget.All - found.DigestCost()), cancellationToken);
        sender.Run();
        var totals = new CopyTotals(sender.Entries, content.TotalBytes);
        records.TreeEnd(totals);
        found.CountObjects();
        (_sent, _found, _lastLink, _isFirst) = (found, null, links.Last, false);
        return totals;
    }
}
