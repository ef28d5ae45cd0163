using System.Collections.Concurrent;
using System.Net.Sockets;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Linux.Network;

/// <inheritdoc cref="IAddressAnnouncer"/>
public sealed partial class AddressAnnouncer(ILogger<AddressAnnouncer> logger, TimeProvider? timeProvider = null) : IAddressAnnouncer, IAsyncDisposable
{
    // QEMU's announce schedule, and two late ones for switches that relearn slowly.
    private static readonly TimeSpan[] Repeats =
    [
        TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(450), TimeSpan.FromMilliseconds(800),
        TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(5),
    ];

    private readonly TimeProvider _time = timeProvider ?? TimeProvider.System;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Task, bool> _running = new();

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> AnnounceAsync(string networkNamespacePath, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            var links = await NetworkNamespace.RunAsync(networkNamespacePath, OpenAndSend);
            var task = RepeatAsync(links, networkNamespacePath);
            _running[task] = true;
            _ = task.ContinueWith(done => _running.TryRemove(done, out _), TaskScheduler.Default);
            return [.. links.SelectMany(link => link.Announcement.Descriptions)];
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            throw new MigrationException("announce", $"the container's addresses cannot be announced: {exception.Message}", innerException: exception);
        }
    }

    /// <summary>Ends the repeats.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_running.Keys);
        _stop.Dispose();
    }

    // In the namespace; the sockets stay there when the thread has gone.
    private static List<(AddressAnnouncement Announcement, PacketSocket Socket)> OpenAndSend()
    {
        List<(AddressAnnouncement Announcement, PacketSocket Socket)> links = [];
        try
        {
            foreach (var announcement in AddressAnnouncement.Plan(NetworkState.Read()))
            {
                links.Add((announcement, new PacketSocket(announcement.Link.Index, heard: null)));
                Send(links[^1].Announcement, links[^1].Socket);
            }

            return links;
        }
        catch
        {
            links.ForEach(link => link.Socket.Dispose());
            throw;
        }
    }

    private async Task RepeatAsync(List<(AddressAnnouncement Announcement, PacketSocket Socket)> links, string path)
    {
        try
        {
            var sinceFirst = TimeSpan.Zero;
            foreach (var moment in Repeats)
            {
                await Task.Delay(moment - sinceFirst, _time, _stop.Token);
                sinceFirst = moment;
                foreach (var (announcement, socket) in links)
                {
                    Send(announcement, socket);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon stops; the first burst is out.
        }
        catch (SocketException exception)
        {
            LogRepeatsEnded(logger, path, exception.Message);
        }
        finally
        {
            links.ForEach(link => link.Socket.Dispose());
        }
    }

    private static void Send(AddressAnnouncement announcement, PacketSocket socket)
    {
        foreach (var frame in announcement.Frames)
        {
            socket.Send(frame);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Announcing the addresses of {Namespace} ended early: {Reason}")]
    private static partial void LogRepeatsEnded(ILogger logger, string @namespace, string reason);
}
