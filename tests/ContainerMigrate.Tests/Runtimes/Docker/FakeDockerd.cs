using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Tests.Runtimes.Docker;

/// <summary>Answers on a unix socket of its own what a test gives it, and notes what was asked.</summary>
internal sealed class FakeDockerd : IAsyncDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("fake-dockerd");
    private readonly WebApplication _server;
    private readonly ConcurrentDictionary<string, Func<HttpContext, Task>> _answers = new();

    private FakeDockerd(string apiVersion)
    {
        SocketPath = Path.Combine(_directory.FullName, "docker.sock");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.ListenUnixSocket(SocketPath));
        _server = builder.Build();
        _server.Run(async context =>
        {
            var path = context.Request.Path.Value!;
            Asked.Enqueue($"{context.Request.Method} {path}{context.Request.QueryString}");
            if (path == "/_ping")
            {
                context.Response.Headers["Api-Version"] = apiVersion;
            }
            else if (_answers.TryGetValue($"{context.Request.Method} {path[path.IndexOf('/', 1)..]}", out var answer))
            {
                await answer(context);
            }
            else
            {
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                await context.Response.WriteAsync("""{"message":"No such thing"}""");
            }
        });
    }

    public string SocketPath { get; }

    /// <summary>Method, path and query of every request, in order.</summary>
    public ConcurrentQueue<string> Asked { get; } = new();

    public static async Task<FakeDockerd> StartAsync(string apiVersion = "1.45")
    {
        var dockerd = new FakeDockerd(apiVersion);
        await dockerd._server.StartAsync();
        return dockerd;
    }

    /// <param name="request">Method and path without version, <c>GET /info</c>; the query does not count.</param>
    public void Answer(string request, string json, int status = StatusCodes.Status200OK) =>
        Answer(request, async context =>
        {
            context.Response.StatusCode = status;
            await context.Response.WriteAsync(json);
        });

    public void Answer(string request, Func<HttpContext, Task> answer) => _answers[request] = answer;

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _directory.Delete(recursive: true);
    }
}
