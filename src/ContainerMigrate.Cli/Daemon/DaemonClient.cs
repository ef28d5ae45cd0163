using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ContainerMigrate.Api;

namespace ContainerMigrate.Cli.Daemon;

/// <summary>
/// The local HTTP API over the daemon's unix socket. Every method throws <see cref="DaemonException"/> for a refusal and for a daemon
/// that cannot be reached.
/// </summary>
internal sealed class DaemonClient : IDisposable
{
    public const string DefaultSocket = "/run/ctmigrate/ctmigrated.sock";

    private readonly string _socketPath;
    private readonly HttpClient _http;

    public DaemonClient(string socketPath)
    {
        _socketPath = socketPath;
        _http = new HttpClient(new SocketsHttpHandler { ConnectCallback = ConnectAsync, UseProxy = false, AllowAutoRedirect = false })
        {
            // The host name goes nowhere: the connection is the socket's.
            BaseAddress = new Uri("http://ctmigrated/"),
            // A check of two hosts takes as long as it takes; what ends a wait is the daemon's own deadlines or Ctrl-C.
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public Task<CheckReport> CheckAsync(CheckRequest request, CancellationToken cancellationToken) =>
        PostAsync("v1/check", request, ApiJson.Default.CheckRequest, ApiJson.Default.CheckReport, cancellationToken);

    public Task<MigrationAccepted> MigrateAsync(MigrateRequest request, CancellationToken cancellationToken) =>
        PostAsync("v1/migrations", request, ApiJson.Default.MigrateRequest, ApiJson.Default.MigrationAccepted, cancellationToken);

    public Task<MigrationAccepted> SaveAsync(SaveRequest request, CancellationToken cancellationToken) =>
        PostAsync("v1/saves", request, ApiJson.Default.SaveRequest, ApiJson.Default.MigrationAccepted, cancellationToken);

    public Task<MigrationAccepted> RestoreAsync(RestoreRequest request, CancellationToken cancellationToken) =>
        PostAsync("v1/restores", request, ApiJson.Default.RestoreRequest, ApiJson.Default.MigrationAccepted, cancellationToken);

    public Task<MigrationList> ListMigrationsAsync(CancellationToken cancellationToken) =>
        GetAsync("v1/migrations", ApiJson.Default.MigrationList, cancellationToken);

    public Task<MigrationStatus> GetMigrationAsync(string id, CancellationToken cancellationToken) =>
        GetAsync(MigrationPath(id), ApiJson.Default.MigrationStatus, cancellationToken);

    public Task CancelMigrationAsync(string id, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, MigrationPath(id) + "/cancel", cancellationToken);

    public Task<JournalsReport> GetJournalsAsync(string id, CancellationToken cancellationToken) =>
        GetAsync(MigrationPath(id) + "/journals", ApiJson.Default.JournalsReport, cancellationToken);

    public Task<MigrationStatus> ResolveAsync(string id, string winner, CancellationToken cancellationToken) =>
        PostAsync(MigrationPath(id) + "/resolve", new ResolveRequest(winner), ApiJson.Default.ResolveRequest, ApiJson.Default.MigrationStatus, cancellationToken);

    public Task<MigrationList> GetHistoryAsync(string? container, CancellationToken cancellationToken) =>
        GetAsync(
            container is null ? "v1/history" : "v1/history?container=" + Uri.EscapeDataString(container),
            ApiJson.Default.MigrationList,
            cancellationToken);

    public Task<ContainerList> ListContainersAsync(CancellationToken cancellationToken) => GetAsync("v1/containers", ApiJson.Default.ContainerList, cancellationToken);

    public Task<EvacuatedList> ListEvacuatedAsync(CancellationToken cancellationToken) => GetAsync("v1/evacuated", ApiJson.Default.EvacuatedList, cancellationToken);

    /// <summary>Answers when the container is back, or could not be brought back.</summary>
    public async Task<MigrationStatus> ReturnAsync(string migrationId, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(new HttpRequestMessage(HttpMethod.Post, $"v1/evacuated/{Uri.EscapeDataString(migrationId)}/return"), cancellationToken);
        return await ReadAsync(response, ApiJson.Default.MigrationStatus, cancellationToken);
    }

    public Task<HostsReport> GetHostsAsync(CancellationToken cancellationToken) =>
        GetAsync("v1/hosts", ApiJson.Default.HostsReport, cancellationToken);

    public Task<PairReply> PairAsync(PairRequest request, CancellationToken cancellationToken) =>
        PostAsync("v1/hosts/pair", request, ApiJson.Default.PairRequest, ApiJson.Default.PairReply, cancellationToken);

    public async Task<PairingCode> OpenPairingCodeAsync(CancellationToken cancellationToken)
    {
        using var response = await SendAsync(new HttpRequestMessage(HttpMethod.Post, "v1/hosts/code"), cancellationToken);
        return await ReadAsync(response, ApiJson.Default.PairingCode, cancellationToken);
    }

    public Task RemoveHostAsync(string name, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Delete, "v1/hosts/" + Uri.EscapeDataString(name), cancellationToken);

    public Task<AnnounceReply> AnnounceAsync(AnnounceRequest request, CancellationToken cancellationToken) =>
        PostAsync("v1/announce", request, ApiJson.Default.AnnounceRequest, ApiJson.Default.AnnounceReply, cancellationToken);

    public Task<DoctorReport> GetDoctorReportAsync(CancellationToken cancellationToken) =>
        GetAsync("v1/doctor", ApiJson.Default.DoctorReport, cancellationToken);

    /// <summary>Snapshots of one migration as they come; ends when the daemon closes the stream.</summary>
    /// <exception cref="IOException">The stream broke.</exception>
    public async IAsyncEnumerable<MigrationStatus> ReadEventsAsync(string id, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var response = await SendAsync(new HttpRequestMessage(HttpMethod.Get, MigrationPath(id) + "/events"), cancellationToken);
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var reader = new StreamReader(stream);
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.Length > 0)
            {
                yield return JsonSerializer.Deserialize(line, ApiJson.Default.MigrationStatus)
                    ?? throw new JsonException("an event is null");
            }
        }
    }

    public void Dispose() => _http.Dispose();

    private static string MigrationPath(string id) => "v1/migrations/" + Uri.EscapeDataString(id);

    private async Task<TReply> GetAsync<TReply>(string path, JsonTypeInfo<TReply> replyType, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(new HttpRequestMessage(HttpMethod.Get, path), cancellationToken);
        return await ReadAsync(response, replyType, cancellationToken);
    }

    private async Task<TReply> PostAsync<TRequest, TReply>(
        string path, TRequest body, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TReply> replyType, CancellationToken cancellationToken)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body, requestType) };
        using var response = await SendAsync(request, cancellationToken);
        return await ReadAsync(response, replyType, cancellationToken);
    }

    private async Task SendAsync(HttpMethod method, string path, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(new HttpRequestMessage(method, path), cancellationToken);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using (request)
        {
            HttpResponseMessage response;
            try
            {
                response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            }
            catch (HttpRequestException error)
            {
                throw Unreachable(error);
            }

            if (response.IsSuccessStatusCode)
            {
                return response;
            }

            using (response)
            {
                throw await ReadErrorAsync(response, cancellationToken);
            }
        }
    }

    private static async Task<TReply> ReadAsync<TReply>(HttpResponseMessage response, JsonTypeInfo<TReply> replyType, CancellationToken cancellationToken)
    {
        try
        {
            return await response.Content.ReadFromJsonAsync(replyType, cancellationToken) ?? throw new JsonException("the answer is null");
        }
        catch (Exception error) when (error is JsonException or HttpRequestException or IOException)
        {
            throw new DaemonException($"ctmigrated's answer cannot be read: {error.Message}", ExitCodes.DaemonUnreachable, innerException: error);
        }
    }

    private static async Task<DaemonException> ReadErrorAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            if (await response.Content.ReadFromJsonAsync(ApiJson.Default.ApiError, cancellationToken) is { } error)
            {
                return new DaemonException(error.Message, error.ExitCode, error.Failure);
            }
        }
        catch (Exception error) when (error is JsonException or HttpRequestException or IOException)
        {
            // Not an error of the API: what is left to tell is the status below.
        }

        return new DaemonException(
            $"ctmigrated answered {(int)response.StatusCode} {response.ReasonPhrase}",
            ExitCodes.DaemonUnreachable,
            nextStep: response.StatusCode == HttpStatusCode.NotFound ? "ctmigrate and ctmigrated may be of different versions" : null);
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(_socketPath), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private DaemonException Unreachable(HttpRequestException error)
    {
        var (cause, nextStep) = (error.InnerException as SocketException)?.SocketErrorCode switch
        {
            SocketError.AccessDenied => ("permission denied", "run it as root or as a member of the group ctmigrate"),
            SocketError.AddressNotAvailable => ("no such socket", "start the daemon: systemctl start ctmigrated"),
            SocketError.ConnectionRefused => ("nobody listens there", "start the daemon: systemctl start ctmigrated"),
            _ => (error.InnerException?.Message ?? error.Message, "see: journalctl -u ctmigrated"),
        };
        return new DaemonException($"cannot reach ctmigrated at {_socketPath}: {cause}", ExitCodes.DaemonUnreachable, nextStep: nextStep, innerException: error);
    }
}
