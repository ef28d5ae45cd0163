using ContainerMigrate.Daemon;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Migrations;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Migration;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace ContainerMigrate.Tests.Migrations;

/// <summary>The migrations of a daemon, as composed in earnest, over a host that is made up.</summary>
internal sealed class EngineModule(MigrationEnvironment environment) : IDaemonModule
{
    public void AddServices(IServiceCollection services, DaemonOptions options)
    {
        services.AddSingleton(environment);
        services.AddSingleton(environment.Journals);
        services.AddSingleton(_ => new MigrationIndex(environment.Time));
        services.AddSingleton<MigrationService>();
        services.AddSingleton<IPeerUse>(p => p.GetRequiredService<MigrationService>());
        services.AddSingleton<PeerMigrations>();
        services.AddSingleton<Evacuations>();
        services.AddSingleton<MigrationResolution>();
        services.AddHostedService<MigrationRecovery>();
    }

    public void MapLocalApi(IEndpointRouteBuilder localApi) => MigrationLocalEndpoints.Map(localApi);

    public void MapPeerApi(IEndpointRouteBuilder peerApi) => MigrationPeerEndpoints.Map(peerApi);
}
