using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.LocalApi;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Host;
using ContainerMigrate.Journal;
using ContainerMigrate.Linux.Cgroups;
using ContainerMigrate.Linux.Criu;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Journal;
using ContainerMigrate.Linux.Network;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Linux.Runtimes.Docker;
using ContainerMigrate.Linux.Runtimes.Oci;
using ContainerMigrate.Linux.Runtimes.Runc;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>Composes the engine with the adapters and puts migrations on both APIs.</summary>
internal sealed class MigrationsModule : IDaemonModule
{
    public void AddServices(IServiceCollection services, DaemonOptions options)
    {
        services.AddSingleton<IProcessRunner, ProcessRunner>();
        services.AddSingleton(_ => new RestoreLayout(options.StateDirectory));
        services.AddSingleton<IJournalStore>(p => new FileJournalStore(options.StateDirectory, p.GetRequiredService<TimeProvider>()));
        services.AddSingleton<MigrationIndex>();
        services.AddSingleton<INetworkFence, NftFence>();
        services.AddSingleton<IContainerNetwork, ContainerNetwork>();
        services.AddSingleton<IAddressAnnouncer, AddressAnnouncer>();
        services.AddSingleton<IHostInspector, HostInspector>();
        services.AddSingleton(Compose);
        services.AddSingleton<MigrationService>();
        services.AddSingleton<IPeerUse>(p => p.GetRequiredService<MigrationService>());
        services.AddSingleton<PeerMigrations>();
        services.AddSingleton<IContainerAnnouncements, ContainerAnnouncements>();
        services.AddHostedService<MigrationRecovery>();
    }

    public void MapLocalApi(IEndpointRouteBuilder localApi) => MigrationLocalEndpoints.Map(localApi);

    public void MapPeerApi(IEndpointRouteBuilder peerApi) => MigrationPeerEndpoints.Map(peerApi);

    private static MigrationEnvironment Compose(IServiceProvider services)
    {
        var options = services.GetRequiredService<DaemonOptions>();
        var processes = services.GetRequiredService<IProcessRunner>();
        var loggers = services.GetRequiredService<ILoggerFactory>();
        var layout = services.GetRequiredService<RestoreLayout>();
        var copier = new DirectoryCopier();
        var timeouts = RestoreTimeouts.Default with { Gate = options.GateTimeout };
        var docker = new DockerOptions { SocketPath = options.DockerSocket, StateDirectory = Path.Combine(options.StateDirectory, "docker") };
        var runc = new RuncOptions(options.RuncRoots, Path.Combine(options.StateDirectory, "bundles"));
        var network = services.GetRequiredService<IContainerNetwork>();
        var fence = services.GetRequiredService<INetworkFence>();
        return new MigrationEnvironment
        {
            HostName = options.HostName,
            Limits = new MigrationLimits { FreezeTimeout = options.FreezeTimeout, Deadline = options.Deadline, Lease = options.Lease },
            Runtimes =
            [
                new DockerRuntime(docker, network, layout, timeouts, loggers.CreateLogger<DockerRuntime>()),
                new RuncRuntime(processes, runc, layout, network, fence, copier, loggers),
            ],
            Checkpoints = new RuncCheckpointEngine(processes, layout, options.StateDirectory),
            Freezer = new CgroupFreezer(),
            Fence = fence,
            Announcer = services.GetRequiredService<IAddressAnnouncer>(),
            Network = network,
            Copier = copier,
            Host = services.GetRequiredService<IHostInspector>(),
            Journals = services.GetRequiredService<IJournalStore>(),
            Refusals = new StartRefusal(layout),
            Time = services.GetRequiredService<TimeProvider>(),
        };
    }
}
