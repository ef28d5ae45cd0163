using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Threading.Channels;
using ContainerMigrate.Api;
using ContainerMigrate.Migration;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Tests.Cli;

/// <summary>The local API's answers without a daemon behind them, on a real unix socket: what the command line makes of them is the subject.</summary>
internal sealed class FakeDaemon : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ctm").FullName;
    private readonly ConcurrentDictionary<string, Func<HttpContext, string, Task>> _answers = new();
    private readonly WebApplication _application;

    private FakeDaemon()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(SocketPath));
        _application = builder.Build();
        _application.Run(AnswerAsync);
    }

    public string SocketPath => Path.Combine(_directory, "s");

    /// <summary>Method, path and body of everything that was asked, in order.</summary>
    public ConcurrentQueue<(string Request, string Body)> Asked { get; } = new();

    /// <summary>Completes when a cancellation was asked for.</summary>
    public TaskCompletionSource CancelAsked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static async Task<FakeDaemon> StartAsync()
    {
        var daemon = new FakeDaemon();
        await daemon._application.StartAsync();
        return daemon;
    }

    /// <param name="request"><c>GET /v1/hosts</c></param>
    public void Answer<T>(string request, T reply, JsonTypeInfo<T> type, int status = 200) =>
        Answer(request, async (context, _) =>
        {
            context.Response.StatusCode = status;
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync(JsonSerializer.Serialize(reply, type));
        });

    public void Answer(string request, Func<HttpContext, string, Task> answer) => _answers[request] = answer;

    public void Refuse(string request, ApiError error, int status = 409) => Answer(request, error, ApiJson.Default.ApiError, status);

    /// <summary>Accepts <c>migrate</c> as <c>m1</c>, with the events that are written to what is returned; completing it ends the stream.</summary>
    public ChannelWriter<MigrationStatus> AcceptMigration()
    {
        Answer("POST /v1/migrations", new MigrationAccepted("m1"), ApiJson.Default.MigrationAccepted, 202);
        Answer("POST /v1/migrations/m1/cancel", (context, _) =>
        {
            context.Response.StatusCode = 202;
            CancelAsked.TrySetResult();
            return Task.CompletedTask;
        });
        return StreamEvents();
    }

    /// <summary>Lets the events of <c>m1</c> be read once; a second reader finds nothing more.</summary>
    public ChannelWriter<MigrationStatus> StreamEvents()
    {
        var events = Channel.CreateUnbounded<MigrationStatus>();
        Answer("GET /v1/migrations/m1/events", async (context, _) =>
        {
            await context.Response.StartAsync();
            await foreach (var status in events.Reader.ReadAllAsync(context.RequestAborted))
            {
                await context.Response.WriteAsync(JsonSerializer.Serialize(status, ApiJson.Default.MigrationStatus) + "\n");
                await context.Response.Body.FlushAsync();
            }
        });
        return events.Writer;
    }

    /// <summary>Accepts <c>migrate</c> and goes through these states at once.</summary>
    public void AcceptMigration(params ReadOnlySpan<MigrationStatus> states)
    {
        var events = AcceptMigration();
        foreach (var state in states)
        {
            events.TryWrite(state);
        }

        events.Complete();
    }

    public static MigrationStatus Status(MigrationPhase phase, string activity = "") => new()
    {
        Id = "m1",
        Role = "source",
        Container = "web",
        Runtime = "docker",
        Source = "h1",
        Destination = "h2",
        Phase = phase,
        Activity = activity,
        StartedAt = DateTimeOffset.UtcNow,
    };

    public static MigrationStatus Ended(MigrationPhase phase, int? exitCode = null) =>
        Status(phase) with { EndedAt = DateTimeOffset.UtcNow, ExitCode = exitCode };

    public async ValueTask DisposeAsync()
    {
        // Open event streams would hold a graceful stop up.
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _application.StopAsync(now.Token);
        await _application.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        var request = $"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}";
        Asked.Enqueue((request, body));
        if (_answers.TryGetValue(request, out var answer))
        {
            await answer(context, body);
        }
        else
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
        }
    }
}
