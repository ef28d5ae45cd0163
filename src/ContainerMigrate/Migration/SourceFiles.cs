using ContainerMigrate.Api;
using ContainerMigrate.Containers;
using ContainerMigrate.Protocol;
using ContainerMigrate.Storage;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>
/// Sends a container's files in rounds: all of them while it runs, then what has changed since, as long as that helps; frozen, only what the
/// last round has not seen.
/// </summary>
internal sealed partial class SourceFiles(MigrationEnvironment environment, SourceStreams streams, SourceContainer container, MigrationProgress progress, ILogger logger)
{
    // Of a go; each sends at most half of what the one before has sent.
    private const int MaxRounds = 5;

    private const double WorthwhileShare = 0.5;

    // So much takes no longer than the exchange of messages around it.
    private const long NegligibleBytes = 256 << 10;
    private const long NegligibleEntries = 100;

    private readonly FollowedTrees _tree = new(environment.Files, container);
    private string? _obstacle;
    private TreeChanges? _rest;

    /// <summary>Rounds that have gone ahead.</summary>
    public int Rounds { get; private set; }

    /// <summary>Content that has gone ahead.</summary>
    public long AheadBytes { get; private set; }

    /// <summary>Content that was left for the pause.</summary>
    public long InPauseBytes { get; private set; }

    /// <summary>Builds on what the destination has kept of an earlier attempt.</summary>
    public async Task TakeKeptAsync(IPeer peer, string migrationId, CancellationToken cancellationToken)
    {
        progress.Say("comparing with what is kept of the last attempt");
        await _tree.TakeKeptAsync((tree, read) => peer.ReadKeptAsync(migrationId, tree, read, cancellationToken));
    }

    /// <summary>Sends files while the container runs, until what changes meanwhile is little or does not become less.</summary>
    /// <param name="late">Set when the time for it has passed.</param>
    public async Task GoAheadAsync(CancellationToken late, CancellationToken cancellationToken)
    {
        if (_obstacle is null && (_obstacle = await _tree.FindObstacleAsync(cancellationToken) ?? "").Length > 0)
        {
            LogNotAhead(_obstacle);
        }

        if (_obstacle.Length > 0)
        {
            return;
        }

        var previous = long.MaxValue;
        for (var i = 0; i < MaxRounds && !late.IsCancellationRequested; i++)
        {
            progress.Say("looking for changed files");
            var start = environment.Time.GetTimestamp();
            var found = await ScanAsync(isLast: false, cancellationToken);
            var scanTime = environment.Time.GetElapsedTime(start);
            if (!found.HasChanged)
            {
                return;
            }

            var round = await SendAsync(found, scanTime, cancellationToken);
            if ((round.SentBytes <= NegligibleBytes && round.Entries <= NegligibleEntries) || round.SentBytes > WorthwhileShare * previous)
            {
                return;
            }

            previous = round.SentBytes;
        }
    }

    /// <summary>Looks for what the frozen container has changed since the last round.</summary>
    public async Task ScanRestAsync(CancellationToken cancellationToken) => _rest = await ScanAsync(isLast: true, cancellationToken);

    /// <summary>Sends what <see cref="ScanRestAsync"/> has found. Its arrival makes the runtime start on the destination.</summary>
    public async Task SendRestAsync(CancellationToken cancellationToken)
    {
        var rest = _rest ?? throw new InvalidOperationException("a scan comes first");
        var sent = new CopyTotals(0, 0);
        await streams.SendAsync(BulkTransfer.Layer, "dumping, sending changed files", rest.Bytes,
            async (stream, inner, token) => sent = await _tree.SendAsync(stream, inner, token), cancellationToken);
        InPauseBytes = sent.ContentBytes;
        LogRest(rest.Scanned, sent.Entries, sent.ContentBytes);
    }

    private async Task<TreeChanges> ScanAsync(bool isLast, CancellationToken cancellationToken)
    {
        var found = await _tree.ScanAsync(isLast, cancellationToken);
        progress.Update(s => s with { FilesLeftBytes = found.Bytes });
        return found;
    }

    private async Task<FileRound> SendAsync(TreeChanges found, TimeSpan scanTime, CancellationToken cancellationToken)
    {
        var start = environment.Time.GetTimestamp();
        var number = ++Rounds;
        var sent = new CopyTotals(0, 0);
        await streams.SendAsync(BulkTransfer.Files, $"sending files, round {number}", found.Bytes,
            async (stream, inner, token) => sent = await _tree.SendAsync(stream, inner, token), cancellationToken);
        var round = new FileRound
        {
            Number = number, ScannedEntries = found.Scanned, Entries = sent.Entries, SentBytes = sent.ContentBytes, ScanMs = Math.Round(scanTime.TotalMilliseconds, 1),
            DurationMs = Math.Round(environment.Time.GetElapsedTime(start).TotalMilliseconds, 1),
        };
        AheadBytes += sent.ContentBytes;
        LogRound(round.Number, round.Entries, round.ScannedEntries, round.SentBytes, round.DurationMs);
        progress.Update(s => s with { FileRounds = [.. s.FileRounds, round] });
        return round;
    }

    [LoggerMessage(LogLevel.Information, "all files are sent in the pause: {Obstacle}")]
    private partial void LogNotAhead(string obstacle);

    [LoggerMessage(LogLevel.Information, "files, round {Round}: {Entries} of {Scanned} entries, {Bytes} bytes sent in {DurationMs} ms")]
    private partial void LogRound(int round, long entries, long scanned, long bytes, double durationMs);

    [LoggerMessage(LogLevel.Information, "files, the rest: {Entries} of {Scanned} entries, {Bytes} bytes")]
    private partial void LogRest(long scanned, long entries, long bytes);
}
