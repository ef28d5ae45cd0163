using ContainerMigrate.Containers;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Faults;
using ContainerMigrate.Daemon.LocalApi;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Daemon.Saving;
using ContainerMigrate.Host;
using ContainerMigrate.Journal;
using ContainerMigrate.Linux.Cgroups;
using ContainerMigrate.Linux.Criu;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Journal;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Linux.Network;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Linux.Runtimes.Docker;
using ContainerMigrate.Linux.Runtimes.Oci;
using ContainerMigrate.Linux.Runtimes.Runc;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Linux.Systemd;
using ContainerMigrate.Linux.Volumes;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using ContainerMigrate.Storage;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>Composes the engine with the adapters and puts migrations on both APIs.</summary>
/// <param name="faults">Armed fault points; null in every daemon but those of tests.</param>
internal sealed class MigrationsModule(FaultRules? faults = null) : IDaemonModule
{
    public void AddServices(IServiceCollection services, DaemonOptions options)
    {
        services.AddSingleton<IProcessRunner, ProcessRunner>();
        services.AddSingleton(_ => new RestoreLayout(options.StateDirectory));
        if (faults is not null)
        {
            services.AddSingleton(faults);
            services.AddSingleton<FaultPoints>();
        }

        services.AddSingleton(p =>
        {
            IJournalStore store = new FileJournalStore(options.StateDirectory, p.GetRequiredService<TimeProvider>());
            return p.GetService<FaultPoints>() is { } points ? new FaultyJournalStore(store, points) : store;
        });
        services.AddSingleton<MigrationIndex>();
        services.AddSingleton<ICheckpointEngine>(p => new RuncCheckpointEngine(
            p.GetRequiredService<IProcessRunner>(), p.GetRequiredService<RestoreLayout>(), options.StateDirectory, p.GetRequiredService<ILogger<RuncCheckpointEngine>>()));
        services.AddSingleton<IMemoryTracker>(p => new MemoryTracker(p.GetRequiredService<IProcessRunner>(), options.MemoryTracker));
        services.AddSingleton<IMemoryArrivals>(p => new MemoryArrivals(p.GetRequiredService<IProcessRunner>(), Environment.ProcessPath!, p.GetRequiredService<ILogger<MemoryArrivals>>(), p.GetRequiredService<IServiceScopes>()));
        services.AddSingleton<IServiceScopes, SystemdScopes>();
        services.AddSingleton<INetworkFence, NftFence>();
        services.AddSingleton<IPacketKeeper, PacketKeeper>();
        services.AddSingleton<IDirectoryCopier>(_ => new DirectoryCopier());
        services.AddSingleton<IKeptTrees>(p => new KeptTrees(options.StateDirectory, p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ILogger<KeptTrees>>()));
        services.AddSingleton<IHostDirectories>(_ => new HostDirectories(options.BindRoots));
        services.AddSingleton<IContainerNetwork, ContainerNetwork>();
        services.AddSingleton<IAddressAnnouncer, AddressAnnouncer>();
        services.AddSingleton(ComposeRuntimes);
        services.AddSingleton<IHostInspector>(p => new HostInspector(
            new HostInspectorOptions { HostName = options.HostName, Version = DaemonVersion.Current, Criu = options.CriuPath, StateDirectory = options.StateDirectory },
            p.GetRequiredService<IProcessRunner>(),
            p.GetRequiredService<IReadOnlyList<IContainerRuntime>>(),
            p.GetRequiredService<TimeProvider>()));
        services.AddSingleton(Compose);
        services.AddSingleton<MigrationService>();
        services.AddSingleton<IPeerUse>(p => p.GetRequiredService<MigrationService>());
        services.AddSingleton<PeerMigrations>();
        services.AddSingleton<FileArrivals>();
        services.AddSingleton<Evacuations>();
        services.AddSingleton<MigrationResolution>();
        services.AddSingleton<IContainerAnnouncements, ContainerAnnouncements>();
        services.AddHostedService<MigrationRecovery>();
        services.AddHostedService<KeptTreesSweep>();
    }

    public void MapLocalApi(IEndpointRouteBuilder localApi) => MigrationLocalEndpoints.Map(localApi);

    public void MapPeerApi(IEndpointRouteBuilder peerApi) => MigrationPeerEndpoints.Map(peerApi);

    private static IReadOnlyList<IContainerRuntime> ComposeRuntimes(IServiceProvider services)
    {
        var options = services.GetRequiredService<DaemonOptions>();
        var loggers = services.GetRequiredService<ILoggerFactory>();
        var layout = services.GetRequiredService<RestoreLayout>();
        var network = services.GetRequiredService<IContainerNetwork>();
        var directories = services.GetRequiredService<IHostDirectories>();
        var timeouts = RestoreTimeouts.Default with { Gate = options.GateTimeout };
        var docker = new DockerOptions { SocketPath = options.DockerSocket, StateDirectory = Path.Combine(options.StateDirectory, "docker") };
        var runc = new RuncOptions(options.RuncRoots, Path.Combine(options.StateDirectory, "bundles"));
        return
        [
            new DockerRuntime(docker, network, directories, layout, timeouts, loggers.CreateLogger<DockerRuntime>()),
            new RuncRuntime(
                services.GetRequiredService<IProcessRunner>(), runc, layout, network, services.GetRequiredService<INetworkFence>(), services.GetRequiredService<IDirectoryCopier>(), directories, loggers),
        ];
    }

    private static MigrationEnvironment Compose(IServiceProvider services)
    {
        var options = services.GetRequiredService<DaemonOptions>();
        var layout = services.GetRequiredService<RestoreLayout>();
        var environment = new MigrationEnvironment
        {
            HostName = options.HostName,
            Limits = new MigrationLimits { FreezeTimeout = options.FreezeTimeout, Deadline = options.Deadline, Lease = options.Lease, BandwidthBitsPerSecond = options.BandwidthBitsPerSecond },
            Runtimes = services.GetRequiredService<IReadOnlyList<IContainerRuntime>>(),
            Checkpoints = services.GetRequiredService<ICheckpointEngine>(),
            Freezer = new CgroupFreezer(),
            Cpu = new CgroupCpu(),
            Fence = services.GetRequiredService<INetworkFence>(),
            Packets = services.GetRequiredService<IPacketKeeper>(),
            Announcer = services.GetRequiredService<IAddressAnnouncer>(),
            Network = services.GetRequiredService<IContainerNetwork>(),
            Copier = services.GetRequiredService<IDirectoryCopier>(),
            Files = new FileFollower(),
            Kept = services.GetRequiredService<IKeptTrees>(),
            Directories = services.GetRequiredService<IHostDirectories>(),
            Tracker = services.GetRequiredService<IMemoryTracker>(),
            Arrivals = services.GetRequiredService<IMemoryArrivals>(),
            FrozenMemory = new FrozenMemory(),
            Sources = new HttpSourcePeers(services.GetRequiredService<PeerDirectory>(), services.GetRequiredService<PeerHttpClientFactory>()),
            Pages = new PageFileCopier(),
            Logs = new LogCopier(),
            Host = services.GetRequiredService<IHostInspector>(),
            Journals = services.GetRequiredService<IJournalStore>(),
            Pauses = new FilePauseHistory(options.StateDirectory, services.GetRequiredService<ILogger<FilePauseHistory>>()),
            Refusals = new StartRefusal(layout),
            Time = services.GetRequiredService<TimeProvider>(),
        };
        return services.GetService<FaultPoints>() is { } points ? WithFaults(environment, points) : environment;
    }

    private static MigrationEnvironment WithFaults(MigrationEnvironment environment, FaultPoints points) => environment with
    {
        Runtimes = [.. environment.Runtimes.Select(points.Wrap)],
        Checkpoints = points.Wrap(environment.Checkpoints),
        Freezer = points.Wrap(environment.Freezer),
        Cpu = points.Wrap(environment.Cpu),
        Fence = points.Wrap(environment.Fence),
        Packets = points.Wrap(environment.Packets),
        Announcer = points.Wrap(environment.Announcer),
        Network = points.Wrap(environment.Network),
        Copier = points.Wrap(environment.Copier),
        Files = points.Wrap(environment.Files),
        Directories = points.Wrap(environment.Directories),
        Tracker = points.Wrap(environment.Tracker),
        Arrivals = points.Wrap(environment.Arrivals),
        Sources = points.Wrap(environment.Sources),
        Pages = points.Wrap(environment.Pages),
        Logs = points.Wrap(environment.Logs),
        Refusals = points.Wrap(environment.Refusals),
    };
}
