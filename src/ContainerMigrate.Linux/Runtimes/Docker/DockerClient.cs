using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>
/// Calls the Docker Engine API over its unix socket. Answers are bounded and read as JSON nodes; each call has a time limit.
/// Thread-safe. Values that go into a path are the caller's to escape.
/// </summary>
internal sealed class DockerClient : IDisposable
{
    /// <summary>Docker 20.10.</summary>
    public static readonly Version OldestApi = new(1, 41);

    /// <summary>Docker 28.5: what this adapter was tried with. Newer daemons serve it too.</summary>
    public static readonly Version NewestApi = new(1, 51);

    private const int MaxAnswerBytes = 32 * 1024 * 1024;
    private const int MaxErrorBytes = 64 * 1024;

    private readonly DockerOptions _options;
    private readonly HttpClient _http;
    private Version? _version;

    public DockerClient(DockerOptions options)
    {
        _options = options;
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = ConnectAsync,
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(15),
        };
        _http = new HttpClient(handler) { BaseAddress = new Uri("http://docker/"), Timeout = Timeout.InfiniteTimeSpan };
    }

    public bool HasSocket => File.Exists(_options.SocketPath);

    /// <summary>The API version in use: the daemon's, or <see cref="NewestApi"/> if that is older.</summary>
    public async Task<Version> GetVersionAsync(CancellationToken cancellationToken)
    {
        if (_version is { } known)
        {
            return known;
        }

        using var request = new HttpRequestMessage(HttpMethod.Get, "_ping");
        using var response = await SendAsync(request, _options.CallTimeout, HttpCompletionOption.ResponseContentRead, cancellationToken);
        if (!response.IsSuccessStatusCode
            || !response.Headers.TryGetValues("Api-Version", out var values)
            || !Version.TryParse(values.FirstOrDefault(), out var offered))
        {
            throw new DockerApiException(response.StatusCode, $"{_options.SocketPath} does not answer as dockerd does");
        }

        if (offered < OldestApi)
        {
            throw new DockerApiException(response.StatusCode, $"dockerd speaks API {offered}, at least {OldestApi} (Docker 20.10) is needed");
        }

        return _version = offered < NewestApi ? offered : NewestApi;
    }

    /// <exception cref="DockerApiException">Any answer but success.</exception>
    public async Task<JsonNode?> GetAsync(string path, CancellationToken cancellationToken, TimeSpan? timeout = null) =>
        await CallAsync(HttpMethod.Get, path, content: null, timeout, cancellationToken);

    /// <summary>Null when dockerd knows no such thing.</summary>
    public async Task<JsonNode?> FindAsync(string path, CancellationToken cancellationToken, TimeSpan? timeout = null)
    {
        try
        {
            return await GetAsync(path, cancellationToken, timeout);
        }
        catch (DockerApiException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    public async Task<JsonNode?> PostAsync(string path, JsonNode? body, CancellationToken cancellationToken, TimeSpan? timeout = null)
    {
        using var content = body is null ? null : new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        return await CallAsync(HttpMethod.Post, path, content, timeout, cancellationToken);
    }

    public async Task DeleteAsync(string path, CancellationToken cancellationToken, TimeSpan? timeout = null) =>
        await CallAsync(HttpMethod.Delete, path, content: null, timeout, cancellationToken);

    /// <summary>The body of an answer as a stream; the time limit holds until its first byte.</summary>
    public async Task<Stream> OpenAsync(string path, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, await AddressAsync(path, cancellationToken));
        var response = await SendAsync(request, timeout, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        try
        {
            await ThrowIfFailedAsync(response, cancellationToken);
            return await response.Content.ReadAsStreamAsync(cancellationToken);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>Posts what <paramref name="write"/> writes and returns the answer's text.</summary>
    public async Task<string> UploadAsync(string path, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        using var content = new WrittenContent(write);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-tar");
        using var request = new HttpRequestMessage(HttpMethod.Post, await AddressAsync(path, cancellationToken)) { Content = content };
        HttpResponseMessage response;
        try
        {
            response = await SendAsync(request, Timeout.InfiniteTimeSpan, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        catch (DockerApiException) when (content.Failure is not null)
        {
            // The writer's own reason, not "error while copying content".
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(content.Failure);
            throw;
        }

        using (response)
        {
            await ThrowIfFailedAsync(response, cancellationToken);
            return Encoding.UTF8.GetString(await ReadBoundedAsync(response, MaxAnswerBytes, cancellationToken));
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<JsonNode?> CallAsync(HttpMethod method, string path, HttpContent? content, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        var limit = timeout ?? _options.CallTimeout;
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(limit);
        try
        {
            using var request = new HttpRequestMessage(method, await AddressAsync(path, timer.Token)) { Content = content };
            using var response = await SendAsync(request, Timeout.InfiniteTimeSpan, HttpCompletionOption.ResponseHeadersRead, timer.Token);
            await ThrowIfFailedAsync(response, timer.Token);
            var bytes = await ReadBoundedAsync(response, MaxAnswerBytes, timer.Token);
            return bytes.Length == 0 || response.StatusCode == HttpStatusCode.NoContent ? null : JsonNode.Parse(bytes);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new DockerApiException(null, $"dockerd did not answer {method} {path} within {limit.TotalSeconds:0} s", e);
        }
        catch (Exception e) when (e is JsonException or HttpRequestException or IOException)
        {
            throw new DockerApiException(null, $"dockerd's answer to {method} {path} cannot be read: {e.Message}", e);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, TimeSpan timeout, HttpCompletionOption completion, CancellationToken cancellationToken)
    {
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(timeout);
        try
        {
            return await _http.SendAsync(request, completion, timer.Token);
        }
        catch (OperationCanceledException e) when (timer.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new DockerApiException(null, $"dockerd did not answer {request.Method} {request.RequestUri?.AbsolutePath} within {timeout.TotalSeconds:0} s", e);
        }
        catch (HttpRequestException e)
        {
            _version = null; // a daemon that comes back may be another one
            var reason = e.InnerException is SocketException socket ? socket.Message : e.Message;
            throw new DockerApiException(null, $"dockerd at {_options.SocketPath}: {reason}", e);
        }
    }

    private async Task<string> AddressAsync(string path, CancellationToken cancellationToken) =>
        $"v{await GetVersionAsync(cancellationToken)}{path}";

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(_options.SocketPath), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task ThrowIfFailedAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        // 304: already started, already stopped.
        if (response.IsSuccessStatusCode || response.StatusCode == HttpStatusCode.NotModified)
        {
            return;
        }

        var text = Encoding.UTF8.GetString(await ReadBoundedAsync(response, MaxErrorBytes, cancellationToken));
        string? message = null;
        try
        {
            message = JsonNode.Parse(text).Text("message");
        }
        catch (JsonException)
        {
            // Not every error is JSON; the text as it came is what there is.
        }

        message = string.IsNullOrWhiteSpace(message) ? text : message;
        throw new DockerApiException(response.StatusCode, message.Trim().ReplaceLineEndings(" "));
    }

    private static async Task<byte[]> ReadBoundedAsync(HttpResponseMessage response, int limit, CancellationToken cancellationToken)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var buffer = new MemoryStream();
        var block = new byte[16 * 1024];
        int read;
        while ((read = await stream.ReadAsync(block, cancellationToken)) > 0)
        {
            if (buffer.Length + read > limit)
            {
                throw new DockerApiException(response.StatusCode, $"dockerd's answer is longer than {limit} bytes");
            }

            buffer.Write(block, 0, read);
        }

        return buffer.ToArray();
    }

    private sealed class WrittenContent(Func<Stream, CancellationToken, Task> write) : HttpContent
    {
        public Exception? Failure { get; private set; }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            try
            {
                await write(stream, cancellationToken);
            }
            catch (Exception e)
            {
                Failure = e;
                throw;
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
