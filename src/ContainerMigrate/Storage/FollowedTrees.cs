using System.Buffers.Binary;
using ContainerMigrate.Containers;

namespace ContainerMigrate.Storage;

/// <summary>A container's writable layer and the volumes that go along with it, followed as one: a round is one stream (<see cref="TreesFormat"/>) with what has changed of any.</summary>
internal sealed class FollowedTrees
{
    private readonly IReadOnlyList<Followed> _trees; // the layer is the last

    public FollowedTrees(IFileFollower follower, SourceContainer container)
    {
        var volumes = container.Manifest.GetCopiedMounts().Select((m, i) => new Followed(follower.Follow(container, m), i));
        _trees = [.. volumes, new Followed(follower.Follow(container, mount: null), Number: null)];
    }

    /// <summary>Null when any of them can be sent ahead; the others then go in the pause.</summary>
    public async Task<string?> FindObstacleAsync(CancellationToken cancellationToken)
    {
        foreach (var tree in _trees)
        {
            tree.Obstacle = await tree.Tree.FindObstacleAsync(cancellationToken);
        }

        return _trees.All(t => t.Obstacle is not null) ? string.Join("; ", _trees.Select(t => t.Obstacle)) : null;
    }

    /// <summary>Builds on what the destination has kept of each.</summary>
    /// <param name="list">Asks for the list of one, by its number.</param>
    public async Task TakeKeptAsync(Func<int, Func<Stream, CancellationToken, Task>, Task> list)
    {
        foreach (var tree in _trees)
        {
            await list(tree.Number ?? TreesFormat.LayerNumber, tree.Tree.TakeKeptAsync);
        }
    }

    /// <inheritdoc cref="IFollowedTree.ScanAsync"/>
    public async Task<TreeChanges> ScanAsync(bool isLast, CancellationToken cancellationToken)
    {
        var scans = await Task.WhenAll(_trees.Select(async tree => tree.Found = isLast || tree.Obstacle is null ? await tree.Tree.ScanAsync(isLast, cancellationToken) : null));
        // The runtime waits for the layer, so it always goes with the last round.
        var found = scans.OfType<TreeChanges>().ToList();
        return new TreeChanges(found.Sum(f => f.Scanned), found.Sum(f => f.Entries), found.Sum(f => f.Bytes), isLast || found.Any(f => f.HasChanged));
    }

    /// <inheritdoc cref="IFollowedTree.SendAsync"/>
    public async Task<CopyTotals> SendAsync(Stream destination, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var (entries, bytes) = (0L, 0L);
        foreach (var tree in _trees.Where(t => t.Number is not null && t.Found is { HasChanged: true }))
        {
            var header = new byte[3];
            header[0] = TreesFormat.Volume;
            BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(1), (ushort)tree.Number!.Value);
            await destination.WriteAsync(header, cancellationToken);
            await SendTreeAsync(tree);
        }

        var layer = _trees[^1];
        await destination.WriteAsync(new[] { layer.Found is null ? TreesFormat.End : TreesFormat.Layer }, cancellationToken);
        if (layer.Found is not null)
        {
            await SendTreeAsync(layer);
        }

        await destination.FlushAsync(cancellationToken);
        return new CopyTotals(entries, bytes);

        async Task SendTreeAsync(Followed tree)
        {
            var sent = await tree.Tree.SendAsync(destination, progress is null ? null : new Behind(progress, bytes), cancellationToken);
            (entries, bytes) = (entries + sent.Entries, bytes + sent.ContentBytes);
        }
    }

    private sealed record Followed(IFollowedTree Tree, int? Number)
    {
        public string? Obstacle { get; set; }

        /// <summary>Null for one that was not looked at.</summary>
        public TreeChanges? Found { get; set; }
    }

    // Not Progress<T>, which may report out of order.
    private sealed class Behind(IProgress<long> target, long before) : IProgress<long>
    {
        public void Report(long value) => target.Report(before + value);
    }
}
