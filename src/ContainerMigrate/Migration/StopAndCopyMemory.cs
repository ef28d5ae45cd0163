using ContainerMigrate.Containers;
using ContainerMigrate.Journal;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Migration;

/// <summary>All of the memory while the container is frozen, each page file as CRIU writes it. Needs nothing of the kernel.</summary>
internal sealed class StopAndCopyMemory(MigrationEnvironment environment, SourceStreams streams, SourceContainer container, IMigrationJournal journal, MigrationProgress progress) : ISourceMemory
{
    public bool IsLazy => false;

    public int Rounds => 0;

    public TimeSpan Stopped => TimeSpan.Zero;

    public double? PredictedPauseMs => null;

    public double LeftToCopyMs => 0;

    public long? LeftBehindBytes => null;

    public Task GoAheadAsync(double bytesPerSecond, CancellationToken late, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task GetReadyAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task GoFrozenAsync(Func<CancellationToken, Task> sendFiles, PhaseClock clock, CancellationToken cancellationToken)
    {
        progress.Say("dumping");
        using var together = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var images = Directory.CreateDirectory(CheckpointImages.DirectoryIn(journal.Directory)).FullName;
        var dump = environment.Checkpoints.DumpAsync(container, journal.Directory, together.Token);
        var sent = SendAsync();
        await SideBySide.RunAsync(together, dump.ContinueWith(d => { clock.Mark("dump"); return d; }, TaskScheduler.Default).Unwrap(), sent);
        environment.Pages.SetAside(images, CheckpointImages.SentPagesIn(journal.Directory));
        await streams.SendImagesAsync(images, cancellationToken);
        clock.Mark("transfer");

        // One after the other: the layer's arrival makes the runtime start. Pages go while CRIU writes them.
        async Task SendAsync()
        {
            await sendFiles(together.Token);
            await streams.SendAsync(BulkTransfer.Pages, "sending memory", container.Manifest.MemoryBytes,
                (stream, inner, token) => environment.Pages.SendAsync(images, dump, stream, inner, token), together.Token);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
