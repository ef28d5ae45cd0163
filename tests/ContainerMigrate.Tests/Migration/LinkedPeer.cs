using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ContainerMigrate.Daemon.Migrations;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Tests.Migration;

/// <summary>
/// The link from one daemon to the other's arrivals, in one process: messages go through their JSON, answers come back as the endpoints
/// give them. A call is a step of the caller's life; a test can lose the request or the answer.
/// </summary>
internal sealed class LinkedPeer(DaemonLife caller, Func<DaemonLife?> other) : IPeer
{
    private const string CallerName = "h1";

    /// <summary>Told the name of each call; true loses the message.</summary>
    public Func<string, bool> LosesRequest { get; set; } = _ => false;

    public Func<string, bool> LosesAnswer { get; set; } = _ => false;

    /// <summary>Carries each request out twice.</summary>
    public bool Duplicates { get; set; }

    public string Name => "h2";

    public Task<PeerCheckReply> CheckAsync(PeerCheckRequest request, CancellationToken cancellationToken) =>
        CallAsync("check", m => m.CheckAsync(request, CallerName, cancellationToken), PeerJson.Default.PeerCheckReply, cancellationToken);

    public Task<ReserveReply> ReserveAsync(ReserveRequest request, CancellationToken cancellationToken) =>
        CallAsync("reserve", m => m.ReserveAsync(Copy(request, PeerJson.Default.ReserveRequest), CallerName, cancellationToken), PeerJson.Default.ReserveReply, cancellationToken, once: true);

    public async Task<StreamReply> SendAsync(string migrationId, BulkTransfer stream, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        if (stream == BulkTransfer.Packets)
        {
            // Goes beside everything else, and is read while it is written.
            var pipe = new Pipe();
            var reply = CallAsync($"send {stream}", m => m.Get(migrationId, CallerName).ReceivePacketsAsync(pipe.Reader.AsStream(), cancellationToken), PeerJson.Default.StreamReply, cancellationToken, once: true);
            await write(pipe.Writer.AsStream(), cancellationToken);
            await pipe.Writer.CompleteAsync();
            return await reply;
        }

        using var content = new MemoryStream();
        await write(content, cancellationToken);
        content.Position = 0;
        return await CallAsync($"send {stream}", m => Receive(m.Get(migrationId, CallerName)), PeerJson.Default.StreamReply, cancellationToken, once: true);

        Task<StreamReply> Receive(TargetMigration migration) => stream switch
        {
            BulkTransfer.Image => migration.ReceiveImageAsync(content, cancellationToken),
            BulkTransfer.Probe => migration.ReceiveProbeAsync(content, cancellationToken),
            BulkTransfer.Log => migration.ReceiveLogAsync(content, cancellationToken),
            BulkTransfer.Memory => migration.ReceiveMemoryAsync(content, cancellationToken),
            BulkTransfer.Pages => migration.ReceivePagesAsync(content, cancellationToken),
            BulkTransfer.Files => migration.ReceiveFilesAsync(content, cancellationToken),
            BulkTransfer.Layer => migration.ReceiveLayerAsync(content, cancellationToken),
            _ => migration.ReceiveCheckpointAsync(content, cancellationToken),
        };
    }

    public Task<PrepareReply> PrepareAsync(string migrationId, PrepareRequest request, CancellationToken cancellationToken) =>
        CallAsync("prepare", m => m.Get(migrationId, CallerName).PrepareAsync(request, cancellationToken), PeerJson.Default.PrepareReply, cancellationToken, once: true);

    public Task<PeerState> GoAsync(string migrationId, GoRequest request, CancellationToken cancellationToken) =>
        CallAsync("go", m => m.GoAsync(migrationId, CallerName, Copy(request, PeerJson.Default.GoRequest), CancellationToken.None), PeerJson.Default.PeerState, cancellationToken);

    public Task<PeerState> AbortAsync(string migrationId, AbortRequest request, CancellationToken cancellationToken) =>
        CallAsync("abort", m => m.AbortAsync(migrationId, CallerName, Copy(request, PeerJson.Default.AbortRequest)), PeerJson.Default.PeerState, cancellationToken);

    public Task ReadKeptAsync(string migrationId, int tree, Func<Stream, CancellationToken, Task> read, CancellationToken cancellationToken) =>
        throw new NotSupportedException("nothing is kept");

    public Task<PeerState> GetStateAsync(string migrationId, CancellationToken cancellationToken) =>
        CallAsync("state", m => Task.FromResult(m.State(migrationId, CallerName)), PeerJson.Default.PeerState, cancellationToken);

    public Task<PeerState> SettleAsync(string migrationId, CancellationToken cancellationToken) =>
        CallAsync("settle", m => m.SettleAsync(migrationId, CallerName, cancellationToken), PeerJson.Default.PeerState, cancellationToken);

    public Task<PeerState> FinishAsync(string migrationId, CancellationToken cancellationToken) =>
        CallAsync("finish", m => m.FinishAsync(migrationId, CallerName), PeerJson.Default.PeerState, cancellationToken);

    private async Task<T> CallAsync<T>(string what, Func<PeerMigrations, Task<T>> call, JsonTypeInfo<T> type, CancellationToken cancellationToken, bool once = false)
    {
        await caller.StepAsync("call " + what, () => { }, cancellationToken);
        if (other() is not { IsDead: false } life || LosesRequest(what))
        {
            throw new PeerUnreachableException(Name, "no answer");
        }

        var answer = AnswerAsync(life, call);
        if (Duplicates && !once)
        {
            await await Task.WhenAny(answer, life.Died);
            answer = AnswerAsync(life, call);
        }

        // The caller's own end leaves the other's work going on, as a connection that breaks does.
        await Task.WhenAny(answer, life.Died, caller.Died);
        if (caller.IsDead)
        {
            await new TaskCompletionSource().Task;
        }

        if (life.IsDead || LosesAnswer(what))
        {
            throw new PeerUnreachableException(Name, "the connection broke");
        }

        return Copy(await answer, type);
    }

    private async Task<T> AnswerAsync<T>(DaemonLife life, Func<PeerMigrations, Task<T>> call)
    {
        try
        {
            return await call(life.Arrivals);
        }
        catch (MigrationException e)
        {
            throw new MigrationException(e.Failure with { Host = e.Failure.Host.Length == 0 ? Name : e.Failure.Host }, e);
        }
        catch (Exception e) when (e is JsonException or InvalidDataException or IOException or InvalidOperationException)
        {
            throw new MigrationException(MigrationFailure.OfTransfer(Name, e), e);
        }
        catch (KilledException)
        {
            await new TaskCompletionSource().Task;
            throw;
        }
    }

    private static T Copy<T>(T message, JsonTypeInfo<T> type) => JsonSerializer.Deserialize(JsonSerializer.SerializeToUtf8Bytes(message, type), type)!;
}
