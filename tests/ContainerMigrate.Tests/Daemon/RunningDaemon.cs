using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Serialization.Metadata;
using ContainerMigrate.Api;
using ContainerMigrate.Daemon;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Identity;
using ContainerMigrate.Daemon.Peers;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Xunit;

namespace ContainerMigrate.Tests.Daemon;

/// <summary>A whole daemon without containers: its own directory, a free port of 127.0.0.1, its own clock.</summary>
internal sealed class RunningDaemon : IAsyncDisposable
{
    private readonly TemporaryDirectory _directory;
    private readonly StateDirectory _state;
    private readonly IHost _host;

    private RunningDaemon(TemporaryDirectory directory, DaemonOptions options, IReadOnlyList<IDaemonModule> modules)
    {
        _directory = directory;
        Options = options;
        _state = StateDirectory.Open(options);
        _host = DaemonHost.Build(options, logging => logging.AddProvider(Log), [new TestClock(Time), .. modules]);
        Local = LocalHttp.Connect(options.Socket);
    }

    public DaemonOptions Options { get; }

    public SettableTime Time { get; } = new();

    public CapturedLog Log { get; } = new();

    /// <summary>Speaks to the unix socket.</summary>
    public HttpClient Local { get; }

    public PeerAddress Address => new("127.0.0.1", Get<PeerListener>().Port);

    public DaemonIdentity Identity => Get<DaemonIdentity>();

    public PeerDirectory Peers => Get<PeerDirectory>();

    public static Task<RunningDaemon> StartAsync(string name, params IDaemonModule[] modules) => StartAsync(name, o => o, modules);

    public static async Task<RunningDaemon> StartAsync(string name, Func<DaemonOptions, DaemonOptions> change, params IDaemonModule[] modules)
    {
        var directory = new TemporaryDirectory();
        var daemon = new RunningDaemon(
            directory,
            change(new DaemonOptions
            {
                HostName = name,
                PeerListen = [IPAddress.Loopback],
                PeerPort = 0,
                Socket = directory.File("run/api.sock"),
                SocketGroup = "no-such-group",
                StateDirectory = directory.File("state"),
                LogFile = null,
            }),
            modules);
        await daemon._host.StartAsync(TestContext.Current.CancellationToken);
        return daemon;
    }

    public T Get<T>()
        where T : notnull => _host.Services.GetRequiredService<T>();

    /// <summary>A client of the peer API that shows this daemon's certificate, and takes whatever certificate answers.</summary>
    public HttpClient ConnectTo(RunningDaemon other) => PeerHttpClientFactory.Create(other.Address, Identity, _ => { });

    public async Task<PairingCode> OpenCodeAsync()
    {
        var response = await Local.PostAsync("/v1/hosts/code", null, TestContext.Current.CancellationToken);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync(ApiJson.Default.PairingCode, TestContext.Current.CancellationToken))!;
    }

    public Task<(HttpStatusCode Status, PairReply? Reply, ApiError? Error)> PairAsync(PeerAddress other, string? code) =>
        PostAsync("/v1/hosts/pair", new PairRequest(other.ToString(), code), ApiJson.Default.PairRequest, ApiJson.Default.PairReply);

    public async Task PairWithAsync(RunningDaemon other)
    {
        var code = await other.OpenCodeAsync();
        var (_, reply, error) = await PairAsync(other.Address, code.Code);
        if (reply is not { Paired: true })
        {
            throw new InvalidOperationException(error?.Message);
        }
    }

    public async Task<HostsReport> ListHostsAsync() =>
        (await Local.GetFromJsonAsync("/v1/hosts", ApiJson.Default.HostsReport, TestContext.Current.CancellationToken))!;

    public async ValueTask DisposeAsync()
    {
        Local.Dispose();
        await _host.StopAsync(CancellationToken.None);
        _host.Dispose();
        _state.Dispose();
        _directory.Dispose();
    }

    private async Task<(HttpStatusCode Status, TReply? Reply, ApiError? Error)> PostAsync<TRequest, TReply>(
        string path, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TReply> replyType)
        where TReply : class
    {
        var response = await Local.PostAsJsonAsync(path, request, requestType, TestContext.Current.CancellationToken);
        return response.IsSuccessStatusCode
            ? (response.StatusCode, await response.Content.ReadFromJsonAsync(replyType, TestContext.Current.CancellationToken), null)
            : (response.StatusCode, null, await response.Content.ReadFromJsonAsync(ApiJson.Default.ApiError, TestContext.Current.CancellationToken));
    }

    private sealed class TestClock(SettableTime time) : IDaemonModule
    {
        public void AddServices(IServiceCollection services, DaemonOptions options) => services.AddSingleton<TimeProvider>(time);

        public void MapLocalApi(IEndpointRouteBuilder localApi)
        {
        }

        public void MapPeerApi(IEndpointRouteBuilder peerApi)
        {
        }
    }
}
