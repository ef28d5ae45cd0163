using System.Diagnostics.CodeAnalysis;
using ContainerMigrate.Linux.Memory.LazyPages;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Memory;

/// <summary>One migration's memory on its destination: first kept, then served.</summary>
/// <param name="open">Makes the store.</param>
/// <param name="work">CRIU's work directory for the restore.</param>
/// <param name="start">Starts a server for the store, in that work directory.</param>
/// <param name="serving">Told once the server has what it serves.</param>
internal sealed class ArrivingMemory(
    Func<PageStore> open, string work, Func<string, string, CancellationToken, Task<LazyRestore>> start, Action<string, LazyRestore> serving) : IArrivingMemory
{
    private static readonly TimeSpan GivesUpWithin = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _givenUp = new();
    private PageStore? _store;
    private MissingMemory? _missing;
    private Task<LazyRestore>? _server;

    public async Task<PageStreamTotals> ReceiveAsync(Stream source, CancellationToken cancellationToken)
    {
        Prepare();
        return await PageStreamReader.ReadAsync(source, _store, cancellationToken);
    }

    public async Task<IMissingMemory?> ServeAsync(string imagesDirectory, CancellationToken cancellationToken)
    {
        Prepare();
        try
        {
            await _store.SealAsync(imagesDirectory, cancellationToken);
            _store.Dispose();
            var server = await _server!.WaitAsync(cancellationToken);
            serving(_store.Path, server);
            return _missing = MissingMemory.Open(_store.Path, server);
        }
        catch (InvalidDataException e)
        {
            throw new MigrationException("restore", e.Message, innerException: e);
        }
    }

    public void Begin(string containerId)
    {
        if (_server is { IsCompletedSuccessfully: true } server && _store is not null)
        {
            MemoryOwner.Note(_store.Path, containerId);
            server.Result.Begin();
        }
    }

    /// <summary>Ends the server of a restore that came to nothing.</summary>
    public async Task GiveUpAsync()
    {
        await _givenUp.CancelAsync();
        _missing?.Dispose();
        _store?.Dispose();
        if (_server is not null)
        {
            try
            {
                var server = await _server;
                server.GiveUp();
                await Task.WhenAny(server.Completion, Task.Delay(GivesUpWithin));
                await server.StopAsync();
                server.Dispose();
            }
            catch (Exception e) when (e is MigrationException or OperationCanceledException or IOException)
            {
                // It never served.
            }
        }
    }

    /// <summary>The daemon ends.</summary>
    public void LetGo()
    {
        _store?.Dispose();
        if (_server is { IsCompletedSuccessfully: true } server)
        {
            server.Result.Dispose();
        }
    }

    public ValueTask DisposeAsync()
    {
        _store?.Dispose();
        return ValueTask.CompletedTask;
    }

    // The server takes some time to start, and needs none of the pages to do so.
    [MemberNotNull(nameof(_store))]
    private void Prepare()
    {
        Directory.CreateDirectory(work);
        _store ??= open();
        _server ??= start(_store.Path, work, _givenUp.Token);
    }
}
