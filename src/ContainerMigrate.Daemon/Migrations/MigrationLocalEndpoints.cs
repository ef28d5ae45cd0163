using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ContainerMigrate.Api;
using ContainerMigrate.Daemon.Saving;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>The local API of migrations and checks.</summary>
internal static class MigrationLocalEndpoints
{
    private static readonly TimeSpan ShortestUpdate = TimeSpan.FromMilliseconds(100);
    private static readonly byte[] NewLine = "\n"u8.ToArray();

    public static void Map(IEndpointRouteBuilder localApi)
    {
        Post(localApi, "/v1/check", ApiJson.Default.CheckRequest, async (context, service, request) =>
            await Write(context, await service.CheckAsync(request, context.RequestAborted), ApiJson.Default.CheckReport));
        Post(localApi, "/v1/migrations", ApiJson.Default.MigrateRequest, async (context, service, request) =>
        {
            var id = await service.StartAsync(request, context.RequestAborted);
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            await Write(context, new MigrationAccepted(id), ApiJson.Default.MigrationAccepted);
        });
        Post(localApi, "/v1/saves", ApiJson.Default.SaveRequest, async (context, _, request) =>
        {
            var id = await Evacuations(context).SaveAsync(request, context.RequestAborted);
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            await Write(context, new MigrationAccepted(id), ApiJson.Default.MigrationAccepted);
        });
        localApi.MapPost("/v1/restores", (RequestDelegate)(async c =>
        {
            var id = await c.RequestServices.GetRequiredService<FileArrivals>().StartAsync(await ReadAsync(c, ApiJson.Default.RestoreRequest), c.RequestAborted);
            c.Response.StatusCode = StatusCodes.Status202Accepted;
            await Write(c, new MigrationAccepted(id), ApiJson.Default.MigrationAccepted);
        }));
        localApi.MapGet("/v1/migrations", (RequestDelegate)(c => Write(c, new MigrationList(Index(c).All), ApiJson.Default.MigrationList)));
        localApi.MapGet("/v1/migrations/{id}", (RequestDelegate)(c => Write(c, Find(c).Status, ApiJson.Default.MigrationStatus)));
        localApi.MapGet("/v1/migrations/{id}/events", (RequestDelegate)FollowAsync);
        localApi.MapPost("/v1/migrations/{id}/cancel", (RequestDelegate)CancelAsync);
        localApi.MapGet("/v1/migrations/{id}/journals", (RequestDelegate)(async c => await Write(c, await Resolution(c).DescribeAsync((string)c.GetRouteValue("id")!, c.RequestAborted), ApiJson.Default.JournalsReport)));
        localApi.MapPost("/v1/migrations/{id}/resolve", (RequestDelegate)(async c =>
        {
            var request = await ReadAsync(c, ApiJson.Default.ResolveRequest);
            await Write(c, await Resolution(c).ResolveAsync((string)c.GetRouteValue("id")!, request.Winner, c.RequestAborted), ApiJson.Default.MigrationStatus);
        }));
        localApi.MapGet("/v1/history", (RequestDelegate)HistoryAsync);
        localApi.MapGet("/v1/containers", (RequestDelegate)(async c => await Write(c, await Evacuations(c).ListAsync(c.RequestAborted), ApiJson.Default.ContainerList)));
        localApi.MapGet("/v1/evacuated", (RequestDelegate)(c => Write(c, Evacuations(c).ListEvacuated(), ApiJson.Default.EvacuatedList)));
        localApi.MapPost("/v1/evacuated/{id}/return", (RequestDelegate)(async c =>
            await Write(c, await Evacuations(c).ReturnAsync((string)c.GetRouteValue("id")!, c.RequestAborted), ApiJson.Default.MigrationStatus)));
    }

    private static Evacuations Evacuations(HttpContext context) => context.RequestServices.GetRequiredService<Evacuations>();

    private static MigrationIndex Index(HttpContext context) => context.RequestServices.GetRequiredService<MigrationIndex>();

    private static MigrationResolution Resolution(HttpContext context) => context.RequestServices.GetRequiredService<MigrationResolution>();

    private static MigrationProgress Find(HttpContext context)
    {
        var id = (string)context.GetRouteValue("id")!;
        return Index(context).Find(id) ?? throw ApiException.NotFound($"there is no migration '{id}' (`ctmigrate status` and `ctmigrate history` list them)");
    }

    private static void Post<TRequest>(IEndpointRouteBuilder localApi, string path, JsonTypeInfo<TRequest> type, Func<HttpContext, MigrationService, TRequest, Task> handle) =>
        localApi.MapPost(path, (RequestDelegate)(async context => await handle(context, context.RequestServices.GetRequiredService<MigrationService>(), await ReadAsync(context, type))));

    private static async Task<TRequest> ReadAsync<TRequest>(HttpContext context, JsonTypeInfo<TRequest> type)
    {
        try
        {
            return await JsonSerializer.DeserializeAsync(context.Request.Body, type, context.RequestAborted) ?? throw new JsonException("the request is null");
        }
        catch (JsonException e)
        {
            throw ApiException.BadRequest($"the request cannot be read: {e.Message}");
        }
    }

    private static async Task FollowAsync(HttpContext context)
    {
        var progress = Find(context);
        context.Response.ContentType = "application/x-ndjson";
        var stopping = context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        while (true)
        {
            var changed = progress.Changed;
            var status = progress.Status;
            await JsonSerializer.SerializeAsync(context.Response.Body, status, ApiJson.Default.MigrationStatus, context.RequestAborted);
            await context.Response.Body.WriteAsync(NewLine, context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            if (status.EndedAt is not null)
            {
                return;
            }

            try
            {
                await changed.WaitAsync(end.Token);
                await Task.Delay(progress.Status.EndedAt is null ? ShortestUpdate : TimeSpan.Zero, end.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private static async Task CancelAsync(HttpContext context)
    {
        var status = Find(context).Status;
        if (!context.RequestServices.GetRequiredService<MigrationService>().Cancel(status))
        {
            var why = status.EndedAt is not null ? "it has ended"
                : status.Role == "destination" ? $"it is cancelled on its source, {status.Source}"
                : status.PostCopy is { IsComplete: false } ? $"the container runs on {status.Destination} already, and gets the rest of its memory from here"
                : "the handover has begun: only the destination's answer ends it";
            throw ApiException.Refused($"migration {status.Id} cannot be cancelled: {why}");
        }

        await Write(context, Find(context).Status, ApiJson.Default.MigrationStatus);
    }

    private static Task HistoryAsync(HttpContext context)
    {
        var container = context.Request.Query["container"].ToString();
        var store = context.RequestServices.GetRequiredService<IJournalStore>();
        var host = context.RequestServices.GetRequiredService<MigrationEnvironment>().HostName;
        var live = Index(context).All.ToDictionary(s => s.Id, StringComparer.Ordinal);
        var all = store.ReadAll().Select(j => live.GetValueOrDefault(j.MigrationId) ?? JournalHistory.Describe(j, host)).Concat(live.Values).DistinctBy(s => s.Id)
            .Where(s => container.Length == 0 || s.Container == container).OrderBy(s => s.StartedAt);
        return Write(context, new MigrationList([.. all]), ApiJson.Default.MigrationList);
    }

    private static async Task Write<T>(HttpContext context, T body, JsonTypeInfo<T> type)
    {
        context.Response.ContentType = "application/json";
        await JsonSerializer.SerializeAsync(context.Response.Body, body, type, context.RequestAborted);
    }
}
