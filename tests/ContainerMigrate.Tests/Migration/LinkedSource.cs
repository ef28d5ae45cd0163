using ContainerMigrate.Memory;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Tests.Migration;

/// <summary>The link from a destination's daemon back to the source's, in one process.</summary>
internal sealed class LinkedSource(DaemonLife caller) : ISourcePeers, ISourcePeer
{
    public ISourcePeer? Find(string name) => this;

    public Task GreetAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task FetchAsync(string migrationId, IReadOnlyList<PageRequest> requests, bool urgent, IPageSink sink, CancellationToken cancellationToken)
    {
        await caller.StepAsync("call fetch", () => { }, cancellationToken);
        if (caller.Other() is not { IsDead: false } other || other.LosesFetches)
        {
            throw new PeerUnreachableException("h1", "no answer");
        }

        using var request = new MemoryStream();
        await using (var writer = new PageStreamWriter(request, cancellationToken))
        {
            foreach (var (processId, range) in requests)
            {
                await writer.MissAsync(processId, range);
            }

            await writer.CompleteAsync();
        }

        request.Position = 0;
        using var answer = new MemoryStream();
        var memory = other.Environment.Remaining.Find(migrationId, "h2") ?? throw new MigrationException("memory", "nothing is kept");
        await memory.AnswerAsync(request, answer, urgent, cancellationToken);
        if (other.IsDead)
        {
            throw new PeerUnreachableException("h1", "the connection broke");
        }

        answer.Position = 0;
        await PageStreamReader.ReadAsync(answer, sink, cancellationToken);
    }
}

/// <summary>Reads the memory of the container that leaves a machine.</summary>
internal sealed class LeftMemory(Machine machine) : IFrozenMemory, IFrozenPages
{
    public LeftProcess Identify(ContainerProcessId process) => new(process.InnerId, process.HostId, 77);

    public IFrozenPages Open(IReadOnlyCollection<LeftProcess> processes) => this;

    public int Read(int processId, ulong address, Span<byte> destination)
    {
        if (!machine.Exists || !machine.Frozen)
        {
            return 0;
        }

        var unreadable = new PageSet();
        machine.Memory.Read([new AddressRange(address, address + (ulong)destination.Length)], destination, unreadable);
        return unreadable.IsEmpty ? destination.Length / MemoryPage.Bytes : (int)((unreadable.Ranges[0].Start - address) / MemoryPage.Bytes);
    }

    public void Dispose()
    {
    }
}
