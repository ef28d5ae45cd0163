using ContainerMigrate.Containers;
using ContainerMigrate.Journal;
using ContainerMigrate.Protocol;
using ContainerMigrate.Storage;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>What one migration sends in bulk: counted, within its bandwidth, and told of while it goes.</summary>
internal sealed partial class SourceStreams(MigrationEnvironment environment, IPeer peer, IMigrationJournal journal, MigrationProgress progress, ILogger logger)
{
    private const int ProbeBytes = 8 << 20;

    private readonly BandwidthLimit _bandwidth = new(environment.Limits.BandwidthBitsPerSecond, environment.Time);
    private long _sentBytes;

    /// <summary>Of all streams that have arrived.</summary>
    public long SentBytes => Interlocked.Read(ref _sentBytes);

    /// <summary>Sends one stream and returns when the peer has verified it.</summary>
    /// <param name="activity">For the operator, in a few words.</param>
    /// <param name="bytes">About how much it will be.</param>
    /// <param name="write">Gets the stream, and where it may report to.</param>
    public async Task<StreamReply> SendAsync(
        BulkTransfer kind, string activity, long bytes, Func<Stream, IProgress<long>, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        var counter = new CountingProgress(progress.BeginTransfer(activity, bytes));
        var reply = await peer.SendAsync(journal.MigrationId, kind, async (stream, token) =>
        {
            await using var counted = new CountingStream(stream, counter, _bandwidth);
            await write(counted, counter, token);
        }, cancellationToken);
        Interlocked.Add(ref _sentBytes, counter.Bytes);
        return reply;
    }

    /// <summary>
    /// Sends something that is thrown away: the first transfer of a daemon's life takes several times as long as the second, since its
    /// code is compiled on the way.
    /// </summary>
    /// <returns>Bytes a second that the connection carries at first.</returns>
    public async Task<double> TryConnectionAsync(CancellationToken cancellationToken)
    {
        var directory = Directory.CreateDirectory(CheckpointImages.ProbeIn(journal.Directory)).FullName;
        try
        {
            var content = new byte[1 << 20];
            Array.Fill(content, (byte)0xA5); // not zero, which would be a hole
            await using (var file = new FileStream(Path.Combine(directory, "pages-1.img"), FileMode.Create, FileAccess.Write))
            {
                for (var written = 0; written < ProbeBytes; written += content.Length)
                {
                    await file.WriteAsync(content, cancellationToken);
                }
            }

            var start = environment.Time.GetTimestamp();
            await SendAsync(BulkTransfer.Probe, "trying the connection", 2 * ProbeBytes, async (stream, inner, token) =>
            {
                await environment.Pages.SendAsync(directory, Task.CompletedTask, stream, inner, token);
                await environment.Copier.SendAsync(directory, stream, inner, token);
            }, cancellationToken);
            var bytesPerSecond = 2 * ProbeBytes / environment.Time.GetElapsedTime(start).TotalSeconds;
            LogProbed(Math.Round(bytesPerSecond / 1e6));
            return bytesPerSecond;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Sends CRIU's images, as far as they have not gone before.</summary>
    public Task<StreamReply> SendImagesAsync(string images, CancellationToken cancellationToken) =>
        SendAsync(BulkTransfer.Checkpoint, "sending the rest", 0, (stream, inner, token) => environment.Copier.SendAsync(images, stream, inner, token), cancellationToken);

    /// <summary>Sends what the log has become since <paramref name="from"/>: most of it while the container runs, and in the pause what came since then.</summary>
    public async Task<LogPosition> SendLogAsync(SourceContainer container, LogPosition from, CancellationToken cancellationToken)
    {
        var reached = from;
        if (container.LogFile is { } log)
        {
            await SendAsync(BulkTransfer.Log, "sending the log", container.Manifest.LogBytes,
                async (stream, _, token) => reached = await environment.Logs.SendAsync(log, from, stream, token), cancellationToken);
        }

        return reached;
    }

    [LoggerMessage(LogLevel.Debug, "the connection carries {Megabytes} MB/s at first")]
    private partial void LogProbed(double megabytes);
}
