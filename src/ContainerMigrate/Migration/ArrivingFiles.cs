using System.Buffers.Binary;
using ContainerMigrate.Containers;
using ContainerMigrate.Protocol;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Migration;

/// <summary>
/// What comes of a container's files: rounds while it runs on the source, and the rest in the pause, which makes the runtime start up to the
/// point where it needs the images.
/// </summary>
/// <param name="volumes">Where the trees go that are not the container's own layer.</param>
/// <param name="maxBytes">Content of one tree in one stream. All together bring no more than four of that size: two goes of rounds, of which each but the last is at most half of the one before.</param>
internal sealed class ArrivingFiles(MigrationEnvironment environment, ArrivingVolumes volumes, long maxBytes, long maxLogBytes)
{
    private long _left = 4 * maxBytes;
    private Task? _begun;

    /// <summary>Counts what is there already: as much less may come.</summary>
    /// <param name="bytes">No more than one tree may have.</param>
    public void Count(long bytes) => _left -= bytes;

    /// <summary>Takes a round.</summary>
    /// <param name="container">Null before it is made.</param>
    public async Task<StreamReply> ReceiveAsync(ITargetContainer? container, Stream source, CancellationToken cancellationToken)
    {
        _ = container ?? throw NoContainer();
        var (entries, bytes) = (0L, 0L);
        var header = new byte[3];
        while (true)
        {
            await source.ReadExactlyAsync(header.AsMemory(0, 1), cancellationToken);
            if (header[0] == TreesFormat.Volume)
            {
                await source.ReadExactlyAsync(header.AsMemory(1), cancellationToken);
                var directory = volumes.DirectoryOf(BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(1)));
                await RoomWatch.RunAsync(environment, directory, token => UnpackAsync(directory, token), cancellationToken);
                continue;
            }

            if (header[0] == TreesFormat.Layer)
            {
                await UnpackAsync(container.WritableLayerDirectory, cancellationToken);
            }
            else if (header[0] != TreesFormat.End)
            {
                throw new InvalidDataException($"{header[0]} is no kind of tree");
            }

            return new StreamReply(entries, bytes);
        }

        async Task<CopyTotals> UnpackAsync(string directory, CancellationToken token)
        {
            var totals = await environment.Copier.ReceiveChangesAsync(directory, source, Math.Min(_left, maxBytes), token);
            _left -= totals.ContentBytes;
            (entries, bytes) = (entries + totals.Entries, bytes + totals.ContentBytes);
            return totals;
        }
    }

    /// <summary>Takes what is left, and issues the runtime's start.</summary>
    /// <param name="container">Null before it is made.</param>
    /// <param name="aborted">Ends the start.</param>
    public async Task<StreamReply> ReceiveRestAsync(ITargetContainer? container, Stream source, CancellationToken aborted, CancellationToken cancellationToken)
    {
        var reply = await ReceiveAsync(container, source, cancellationToken);
        volumes.Place();
        // Not awaited: what the runtime does before it needs the images goes on while they arrive.
        _begun = container!.BeginAsync(aborted);
        return reply;
    }

    /// <summary>Takes a piece of the runtime's log; the first before the freeze, the last in the pause.</summary>
    public async Task<StreamReply> ReceiveLogAsync(ITargetContainer? container, Stream source, CancellationToken cancellationToken) =>
        container?.LogFile is { } file
            ? new StreamReply(1, await environment.Logs.ReceiveAsync(file, source, maxLogBytes, cancellationToken))
            : throw new MigrationException("protocol", "no log is kept here");

    /// <summary>Completes when the runtime waits for the images.</summary>
    /// <exception cref="MigrationException">The files have not arrived, or the runtime could not be started.</exception>
    public Task WaitForRuntimeAsync(CancellationToken cancellationToken) =>
        (_begun ?? throw new MigrationException("restore", "the writable layer has not arrived")).WaitAsync(cancellationToken);

    /// <summary>Waits for the end of a start that was ended.</summary>
    public async Task EndAsync()
    {
        try
        {
            await (_begun ?? Task.CompletedTask);
        }
        catch (Exception e) when (e is MigrationException or OperationCanceledException or IOException or InvalidOperationException)
        {
            // It is being taken down; why its start failed is of no more interest.
        }
    }

    private static MigrationException NoContainer() => new("protocol", "the image has not arrived");
}
