using ContainerMigrate.Daemon.Migrations;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;
using ContainerMigrate.Storage;
using ContainerMigrate.Tests.Daemon;
using ContainerMigrate.Tests.Migration;

namespace ContainerMigrate.Tests.Migrations;

/// <summary>Two whole daemons on loopback, paired, with real TLS and HTTP between engines whose hosts are made up.</summary>
internal sealed class TwoDaemons : IAsyncDisposable
{
    public const string Id = "20260102-030405-abcdef";

    private readonly TemporaryDirectory _directory = new();
    private readonly HashSet<RunningDaemon> _stopped = [];

    private TwoDaemons(Func<MigrationEnvironment, MigrationEnvironment> change)
    {
        From = new Machine("h1", _directory.File("h1")) { Exists = true };
        To = new Machine("h2", _directory.File("h2"));
        var limits = new MigrationLimits { RetryDelay = TimeSpan.FromMilliseconds(1) };
        SourceLife = new DaemonLife(From, new ManualTime(), limits);
        DestinationLife = new DaemonLife(To, new ManualTime(), limits);
        DestinationEnvironment = change(DestinationLife.Environment);
    }

    public Machine From { get; }

    public Machine To { get; }

    public DaemonLife SourceLife { get; }

    public DaemonLife DestinationLife { get; }

    public MigrationEnvironment DestinationEnvironment { get; }

    public RunningDaemon Source { get; private set; } = null!;

    public RunningDaemon Destination { get; private set; } = null!;

    /// <summary>The destination as the source's engine sees it.</summary>
    public IPeer Peer => PeerOf(Source, "h2");

    public static Task<TwoDaemons> StartAsync() => StartAsync(e => e);

    public static async Task<TwoDaemons> StartAsync(Func<MigrationEnvironment, MigrationEnvironment> change)
    {
        var daemons = new TwoDaemons(change);
        Directory.CreateDirectory(daemons.From.Directory);
        Directory.CreateDirectory(daemons.To.Directory);
        daemons.Source = await RunningDaemon.StartAsync("h1", new EngineModule(daemons.SourceLife.Environment));
        daemons.Destination = await RunningDaemon.StartAsync("h2", new EngineModule(daemons.DestinationEnvironment));
        await daemons.Source.PairWithAsync(daemons.Destination);
        return daemons;
    }

    public static IPeer PeerOf(RunningDaemon daemon, string name) => new HttpPeer(name, daemon.Get<PeerHttpClientFactory>().GetClient(daemon.Peers.FindByName(name)!));

    public Task<ReserveReply> ReserveAsync(string id = Id) => Peer.ReserveAsync(
        new ReserveRequest(id, 1, Samples.Manifest(), Samples.Facts("h1"), [], 60, 10), CancellationToken.None);

    public Task<StreamReply> SendLayerAsync(string id = Id) => Peer.SendAsync(
        id, BulkTransfer.Layer, (stream, token) => stream.WriteAsync((byte[])[TreesFormat.Layer, .. FollowedFiles.Rest], token).AsTask(), CancellationToken.None);

    public Task StopSourceAsync() => StopAsync(Source);

    public Task StopDestinationAsync() => StopAsync(Destination);

    public async ValueTask DisposeAsync()
    {
        await StopAsync(Source);
        await StopAsync(Destination);
        _directory.Dispose();
    }

    private async Task StopAsync(RunningDaemon daemon)
    {
        if (_stopped.Add(daemon))
        {
            await daemon.DisposeAsync();
        }
    }
}
