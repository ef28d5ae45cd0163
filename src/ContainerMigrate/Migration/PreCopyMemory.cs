using ContainerMigrate.Containers;
using ContainerMigrate.Images;
using ContainerMigrate.Journal;
using ContainerMigrate.Memory;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Migration;

/// <summary>
/// Memory in rounds while the container runs; frozen, only a dump of everything but memory, and the pages written last. The destination
/// restores at once and fills memory in from what it has; with post-copy, also from what it asks for later.
/// </summary>
/// <param name="memory">Owned.</param>
/// <param name="rounds">Of that memory.</param>
internal sealed class PreCopyMemory(
    MigrationEnvironment environment, SourceStreams streams, SourceContainer container, IMigrationJournal journal, MigrationProgress progress, TravellingMemory memory, MemoryRounds rounds, PostCopyDeparture postCopy) : ISourceMemory
{
    private IMetadataDump? _dump;
    private Task? _dumpEnd;

    public bool IsLazy => true;

    public int Rounds => rounds.Count;

    private string Images => CheckpointImages.DirectoryIn(journal.Directory);

    public TimeSpan Stopped => memory.Stopped;

    public double? PredictedPauseMs => rounds.Prediction?.TotalMs;

    public double LeftToCopyMs => rounds.LeftToCopyMs;

    public long? LeftBehindBytes { get; private set; }

    public async Task GoAheadAsync(double bytesPerSecond, CancellationToken late, CancellationToken cancellationToken)
    {
        progress.Say("pre-copy");
        await rounds.RunAsync(bytesPerSecond, late, cancellationToken);
    }

    public async Task GetReadyAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Images);
        _dump = await environment.Checkpoints.PrepareMetadataDumpAsync(container, journal.Directory, cancellationToken);
    }

    public async Task GoFrozenAsync(Func<CancellationToken, Task> sendFiles, PhaseClock clock, CancellationToken cancellationToken)
    {
        memory.StandStill();
        progress.Say("dumping");
        using var together = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await SideBySide.RunAsync(together, DumpAsync(), SendAsync());
        clock.Mark("files"); // as far as they took longer than the dump

        // CRIU has said by now which pages exist, and its own work in the processes is seen by this scan.
        await memory.ScanAsync(cancellationToken);
        memory.ExpectExactly(LeftOut(Images));
        if (rounds.LeavesRest && memory.PendingBytes > environment.Limits.WorthLeavingBytes)
        {
            await LeaveBehindAsync(cancellationToken);
        }
        else
        {
            await SendPendingAsync("sending what is left of memory", cancellationToken);
        }

        clock.Mark("copy");
        _dumpEnd = _dump!.DisposeAsync().AsTask(); // need not be waited for
        await streams.SendImagesAsync(Images, cancellationToken);
        clock.Mark("transfer");

        async Task DumpAsync()
        {
            await (_dump ?? throw new InvalidOperationException("rounds come first")).RunAsync(together.Token);
            clock.Mark("dump");
        }

        async Task SendAsync()
        {
            await sendFiles(together.Token);
            if (!rounds.LeavesRest)
            {
                await memory.ScanAsync(together.Token);
                await SendPendingAsync("dumping, sending what is left of memory", together.Token);
            }
        }
    }

    private async Task LeaveBehindAsync(CancellationToken cancellationToken)
    {
        var left = memory.LeaveBehind();
        LeftBehindBytes = await postCopy.KeepAsync(left, cancellationToken);
        await streams.SendAsync(BulkTransfer.Memory, "saying which memory stays behind", 0,
            (stream, _, token) => PostCopyDeparture.AnnounceAsync(left.Select(p => (p.Key.InnerId, p.Value)), stream, token), cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await memory.DisposeAsync();
        if ((_dumpEnd ?? _dump?.DisposeAsync().AsTask()) is { } end)
        {
            await end;
        }
    }

    private async Task SendPendingAsync(string activity, CancellationToken cancellationToken)
    {
        if (memory.PendingBytes > 0)
        {
            await streams.SendAsync(BulkTransfer.Memory, activity, memory.PendingBytes, async (stream, _, token) => await memory.SendPendingAsync(stream, token), cancellationToken);
        }
    }

    private static Dictionary<int, PageSet> LeftOut(string images)
    {
        var needed = new Dictionary<int, PageSet>();
        foreach (var file in PagemapInventory.Read(images).Where(f => !f.IsSharedMemory))
        {
            var pages = needed[checked((int)file.Id)] = new PageSet();
            foreach (var entry in PagemapReader.ReadFile(file.Path).Entries.Where(e => e.IsLeftOut))
            {
                pages.Add(new AddressRange(entry.Range.Address, entry.Range.End));
            }
        }

        return needed;
    }
}
