using ContainerMigrate.Memory;

namespace ContainerMigrate.Tests.Migration;

/// <summary>Keeps what arrives on a machine, where it outlives the daemon.</summary>
internal sealed class ArrivedMemory(DaemonLife life, Machine machine) : IArrivingMemory, IPageSink
{
    public async Task<PageStreamTotals> ReceiveAsync(Stream source, CancellationToken cancellationToken)
    {
        machine.ArrivedPages ??= [];
        var totals = await PageStreamReader.ReadAsync(source, this, cancellationToken);
        await life.StepAsync("keep memory", () => { }, cancellationToken);
        return totals;
    }

    public async Task<IMissingMemory?> ServeAsync(string imagesDirectory, CancellationToken cancellationToken)
    {
        await life.StepAsync("serve memory", () => { }, cancellationToken);
        return MissingPages.Of(life, machine);
    }

    public void Begin(string containerId)
    {
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    void IPageSink.Write(int processId, ulong address, ReadOnlySpan<byte> pages)
    {
        for (var page = 0; page < pages.Length; page += MemoryPage.Bytes)
        {
            machine.ArrivedPages![address + (ulong)page] = pages[page];
        }
    }

    void IPageSink.WriteZero(int processId, PageRange range) => Set(range, a => machine.ArrivedPages![a] = 0);

    void IPageSink.Miss(int processId, PageRange range)
    {
        machine.MissingPages.Add(new AddressRange(range.Address, range.End));
        machine.MissingTotal += (long)range.Bytes;
        Set(range, a => machine.ArrivedPages!.Remove(a));
    }

    void IPageSink.Drop(int processId, PageRange range) => Set(range, a => machine.ArrivedPages!.Remove(a));

    private static void Set(PageRange range, Action<ulong> set)
    {
        for (var address = range.Address; address < range.End; address += MemoryPage.Bytes)
        {
            set(address);
        }
    }
}
