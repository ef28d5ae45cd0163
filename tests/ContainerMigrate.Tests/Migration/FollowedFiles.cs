using ContainerMigrate.Storage;

namespace ContainerMigrate.Tests.Migration;

/// <summary>Files of a made-up container: a copy of them all, little that changes meanwhile, and something in the pause.</summary>
internal sealed class FollowedFiles(DaemonLife life) : IFollowedTree
{
    public static ReadOnlySpan<byte> Rest => "the rest"u8;
    private bool _isLast;
    private int _rounds;

    public Task<string?> FindObstacleAsync(CancellationToken cancellationToken) => Task.FromResult<string?>(null);

    public static bool IsLast(byte[] content) => content.AsSpan().SequenceEqual(Rest);

    public async Task<TreeChanges> ScanAsync(bool isLast, CancellationToken cancellationToken)
    {
        await life.StepAsync(isLast ? "look for the last changes" : "look for changes", () => _isLast = isLast, cancellationToken);
        return new TreeChanges(1, 1, 1, isLast || _rounds == 0);
    }

    public async Task<CopyTotals> SendAsync(Stream destination, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        _rounds++;
        await life.StepAsync(_isLast ? "read files" : "read files ahead", () => { }, cancellationToken);
        await destination.WriteAsync((_isLast ? Rest : "files"u8).ToArray(), cancellationToken);
        return new CopyTotals(1, 1);
    }
}
