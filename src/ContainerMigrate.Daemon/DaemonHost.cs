using ContainerMigrate.Api;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Identity;
using ContainerMigrate.Daemon.LocalApi;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Daemon.Peers.Pairing;
using ContainerMigrate.Daemon.Systemd;
using ContainerMigrate.Protocol;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace ContainerMigrate.Daemon;

/// <summary>
/// Puts the daemon together: one Kestrel with two listeners, each with a pipeline and endpoints of its own. A request
/// cannot get from one to the other, since the branch is chosen by the listener that accepted its connection.
/// </summary>
internal static class DaemonHost
{
    /// <summary>How long requests and migrations get to come to a safe point when the daemon stops; the unit's TimeoutStopSec is longer.</summary>
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(60);

    /// <param name="options">The state directory is open, see <see cref="StateDirectory"/>.</param>
    /// <param name="logging">Adds the providers.</param>
    /// <exception cref="ConfigurationException">The identity or the list of peers cannot be used.</exception>
    public static IHost Build(DaemonOptions options, Action<ILoggingBuilder> logging, params IReadOnlyList<IDaemonModule> modules)
    {
        var identity = DaemonIdentity.LoadOrCreate(options.IdentityDirectory, options.HostName);
        var peers = PeerDirectory.Load(options.PeersFile);
        var localListener = new LocalListener(options);

        return new HostBuilder()
            .ConfigureLogging(builder =>
            {
                builder.SetMinimumLevel(options.LogLevel);
                builder.AddFilter("Microsoft", options.LogLevel > LogLevel.Warning ? options.LogLevel : LogLevel.Warning);
                logging(builder);
            })
            .ConfigureServices(services =>
            {
                services.AddHostedService(_ => localListener);
                AddServices(services, options, identity, peers, modules);
            })
            .ConfigureWebHost(web => web
                .UseKestrelCore()
                .UseKestrelHttpsConfiguration()
                .ConfigureKestrel(kestrel =>
                {
                    kestrel.AddServerHeader = false;
                    kestrel.Limits.MaxRequestBodySize = RequestBodies.DefaultMaxBytes;
                    kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
                    kestrel.Limits.MaxConcurrentConnections = 1024;

                    // In this order: once the socket is there, everything else is.
                    PeerListener.Listen(kestrel, options, identity, peers);
                    localListener.Listen(kestrel);
                })
                .UseSockets(localListener.ConfigureTransport)

                // After Kestrel has registered its own.
                .ConfigureServices(services => services.AddSingleton<IMemoryPoolFactory<byte>, ConnectionMemory>())
                .Configure(app => Configure(app, modules)))
            .Build();
    }

    private static void AddServices(IServiceCollection services, DaemonOptions options, DaemonIdentity identity, PeerDirectory peers, IReadOnlyList<IDaemonModule> modules)
    {
        services.Configure<HostOptions>(host => host.ShutdownTimeout = ShutdownTimeout);
        services.Configure<ConsoleLifetimeOptions>(console => console.SuppressStatusMessages = true);
        services.ConfigureHttpJsonOptions(json =>
        {
            // Naming and the like come from the options in use, not from the contexts: these must be theirs.
            var api = ApiJson.Default.Options;
            json.SerializerOptions.PropertyNamingPolicy = api.PropertyNamingPolicy;
            json.SerializerOptions.PropertyNameCaseInsensitive = api.PropertyNameCaseInsensitive;
            json.SerializerOptions.NumberHandling = api.NumberHandling;
            json.SerializerOptions.DefaultIgnoreCondition = api.DefaultIgnoreCondition;
            json.SerializerOptions.RespectNullableAnnotations = api.RespectNullableAnnotations;
            json.SerializerOptions.RespectRequiredConstructorParameters = api.RespectRequiredConstructorParameters;
            json.SerializerOptions.MaxDepth = Math.Max(api.MaxDepth, PeerJson.Default.Options.MaxDepth);
            foreach (var converter in api.Converters.Concat(PeerJson.Default.Options.Converters))
            {
                json.SerializerOptions.Converters.Add(converter);
            }

            json.SerializerOptions.TypeInfoResolverChain.Insert(0, ApiJson.Default);
            json.SerializerOptions.TypeInfoResolverChain.Insert(1, PeerJson.Default);
            json.SerializerOptions.TypeInfoResolverChain.Insert(2, PeerHelloJson.Default);
        });
        services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
        services.AddRoutingCore();

        services.AddSingleton(options);

        // Made by factories, so that the host disposes of them.
        services.AddSingleton(_ => identity);
        services.AddSingleton(peers);
        services.AddSingleton<PeerHttpClientFactory>();
        services.AddSingleton<PeerListener>();
        services.AddSingleton<PeerProbe>();
        services.AddSingleton<PeerAuthentication>();
        services.AddSingleton<PairingDesk>();
        services.AddSingleton<PairingClient>();
        services.AddSingleton<PairingEndpoints>();
        services.AddSingleton<LocalErrors>();
        services.AddSingleton<PeerErrors>();
        services.AddHostedService<SystemdNotifications>();
        services.AddHostedService<StartupReport>();

        foreach (var module in modules)
        {
            services.AddSingleton(module);
            module.AddServices(services, options);
        }

        services.TryAddSingleton(TimeProvider.System);
    }

    private static void Configure(IApplicationBuilder app, IReadOnlyList<IDaemonModule> modules)
    {
        app.MapWhen(
            context => context.Features.Get<ListenerFeature>() == ListenerFeature.Local,
            local => local
                .UseMiddleware<LocalErrors>()
                .UseRouting()
                .Use(RequestBodies.ApplyDataRate)
                .UseEndpoints(endpoints =>
                {
                    HostEndpoints.Map(endpoints);
                    PairingApi.Map(endpoints);
                    foreach (var module in modules)
                    {
                        module.MapLocalApi(endpoints);
                    }
                }));
        app.MapWhen(
            context => context.Features.Get<ListenerFeature>() == ListenerFeature.Peer,
            peer => peer
                .UseMiddleware<PairingEndpoints>()
                .UseMiddleware<PeerAuthentication>()
                .UseMiddleware<PeerErrors>()
                .UseRouting()
                .Use(RequestBodies.ApplyDataRate)
                .UseEndpoints(endpoints =>
                {
                    PeerEndpoints.Map(endpoints);
                    foreach (var module in modules)
                    {
                        module.MapPeerApi(endpoints);
                    }
                }));
    }
}
