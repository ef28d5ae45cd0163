using ContainerMigrate.Containers;
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
        services.AddSingleton(Compose);
        services.AddSingleton<MigrationService>();
        services.AddSingleton<IPeerUse>(p => p.GetRequiredService<MigrationService>());
        services.AddSingleton<PeerMigrations>();
        services.AddSingleton<IContainerAnnouncements, ContainerAnnouncements>();
        services.AddHostedService<MigrationRecovery>();
    }

    public void MapLocalApi(IEndpointRouteBuilder localApi) => MigrationLocalEndpoints.Map(localApi);

    public void MapPeerApi(IEndpointRouteBuilder peerApi) => MigrationPeerEndpoints.Map(peerApi);
}
