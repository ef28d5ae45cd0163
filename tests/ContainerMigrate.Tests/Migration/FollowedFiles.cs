using ContainerMigrate.Storage;

namespace ContainerMigrate.Tests.Migration;

/// <summary>Files of a made-up container: a copy of them all, little that changes meanwhile, and something in the pause.</summary>
internal sealed class FollowedFiles(DaemonLife life) : IFollowedTree
{
    public static ReadOnlySpan<byte> Rest => "the rest"u8;

    private static ReadOnlySpan<byte> Round => "files"u8;

    private bool _isLast;
    private int _rounds;

    public Task<string?> FindObstacleAsync(CancellationToken cancellationToken) => Task.FromResult<string?>(null);

    public Task TakeKeptAsync(Stream listing, CancellationToken cancellationToken) => throw new NotSupportedException();

    public static bool IsLast(byte[] content) => content.AsSpan().SequenceEqual(Rest);

    /// <summary>One tree of a stream, which others may follow.</summary>
    public static async Task<byte[]> ReadAsync(Stream source, CancellationToken cancellationToken)
    {
        var first = new byte[1];
        await source.ReadExactlyAsync(first, cancellationToken);
        using var rest = new MemoryStream();
        if (first[0] == Rest[0] || first[0] == Round[0])
        {
            var known = new byte[(first[0] == Rest[0] ? Rest : Round).Length - 1];
            await source.ReadExactlyAsync(known, cancellationToken);
            rest.Write(known);
        }
        else
        {
            await source.CopyToAsync(rest, cancellationToken);
        }

        return [.. first, .. rest.ToArray()];
    }

    public async Task<TreeChanges> ScanAsync(bool isLast, CancellationToken cancellationToken)
    {
        await life.StepAsync(isLast ? "look for the last changes" : "look for changes", () => _isLast = isLast, cancellationToken);
        return new TreeChanges(1, 1, 1, isLast || _rounds == 0);
    }

    public async Task<CopyTotals> SendAsync(Stream destination, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        _rounds++;
        await life.StepAsync(_isLast ? "read files" : "read files ahead", () => { }, cancellationToken);
        await destination.WriteAsync((_isLast ? Rest : Round).ToArray(), cancellationToken);
        return new CopyTotals(1, 1);
    }
}
