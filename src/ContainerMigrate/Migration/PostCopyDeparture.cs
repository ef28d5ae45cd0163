using System.Text.Json;
using ContainerMigrate.Containers;
using ContainerMigrate.Journal;
using ContainerMigrate.Memory;
using ContainerMigrate.Protocol;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>
/// What post-copy adds to a departure: which memory stays behind is on disk before the destination hears of it, and may be asked for until
/// the destination has said that it has all of it, across restarts of the daemon.
/// </summary>
internal sealed partial class PostCopyDeparture(MigrationEnvironment environment, IMigrationJournal journal, ILogger logger)
{
    private static readonly TimeSpan AnswersWithin = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(100);

    private string Directory => CheckpointImages.LeftBehindIn(journal.Directory);

    private string PagesFile => Path.Combine(Directory, "pages");

    private string ProcessesFile => Path.Combine(Directory, "processes");

    /// <summary>Lets the destination ask for these pages; the container is frozen and stays so.</summary>
    /// <returns>Bytes of them, for the journal's record of GO.</returns>
    public async Task<long> KeepAsync(IReadOnlyDictionary<ContainerProcessId, PageSet> pages, CancellationToken cancellationToken)
    {
        System.IO.Directory.CreateDirectory(Directory);
        List<LeftProcess> processes = [.. pages.Keys.Select(environment.FrozenMemory.Identify)];
        await File.WriteAllBytesAsync(ProcessesFile, JsonSerializer.SerializeToUtf8Bytes(processes, JournalJson.Default.ListLeftProcess), cancellationToken);
        // Not synced, as little as the frozen processes would outlive the kernel.
        await using (var file = File.Create(PagesFile))
        {
            await AnnounceAsync(pages.Select(p => (p.Key.InnerId, p.Value)), file, cancellationToken);
        }

        var remaining = Open(processes, pages.ToDictionary(p => p.Key.InnerId, p => p.Value));
        environment.Remaining.Add(journal.MigrationId, remaining);
        return remaining.Bytes;
    }

    /// <summary>Writes which pages exist and are not sent.</summary>
    public static async Task AnnounceAsync(IEnumerable<(int ProcessId, PageSet Pages)> processes, Stream destination, CancellationToken cancellationToken)
    {
        await using var writer = new PageStreamWriter(destination, cancellationToken);
        foreach (var (processId, pages) in processes)
        {
            foreach (var range in pages.Ranges.ToArray())
            {
                await writer.MissAsync(processId, new PageRange(range.Start, (ulong)range.PageCount));
            }
        }

        await writer.CompleteAsync();
    }

    /// <summary>After a restart of the daemon: lets the destination ask again, where it may have to.</summary>
    public async Task ResumeAsync(CancellationToken cancellationToken)
    {
        if (journal.Value(JournalKeys.LeftBehindBytes) is null || journal.Phase is not (MigrationPhase.Go or MigrationPhase.InDoubt or MigrationPhase.Committed) || !File.Exists(PagesFile))
        {
            return;
        }

        var processes = JsonSerializer.Deserialize(await File.ReadAllBytesAsync(ProcessesFile, cancellationToken), JournalJson.Default.ListLeftProcess)!;
        var announced = new Announcement();
        await using (var file = File.OpenRead(PagesFile))
        {
            await PageStreamReader.ReadAsync(file, announced, cancellationToken);
        }

        environment.Remaining.Add(journal.MigrationId, Open(processes, announced.Pages));
    }

    /// <summary>Returns when the destination has all that stayed behind: only then it may be destroyed here.</summary>
    /// <returns>How it went; null where nothing had stayed behind.</returns>
    public async Task<MemoryArrival?> WaitAsync(IPeer peer, MigrationProgress progress, CancellationToken cancellationToken)
    {
        if (journal.Value(JournalKeys.LeftBehindBytes)?.GetValue<long>() is not { } bytes)
        {
            return null;
        }

        var last = new MemoryArrival { TotalBytes = bytes, MissingBytes = bytes };
        progress.Update(s => PostCopyStatus.With(s, last, peer.Name));
        var answered = environment.Time.GetTimestamp();
        while (true)
        {
            try
            {
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                limit.CancelAfter(AnswersWithin);
                var state = await peer.GetStateAsync(journal.MigrationId, limit.Token);
                if (state.Memory is { } now)
                {
                    answered = environment.Time.GetTimestamp();
                    // What is complete is so for good, and a count that somebody else makes is not ours to believe where it decides nothing.
                    last = now with { TotalBytes = bytes, MissingBytes = Math.Clamp(now.MissingBytes, 0, bytes) };
                    if (last.IsComplete)
                    {
                        progress.Update(s => PostCopyStatus.With(s, last with { Paused = null }, peer.Name) with { DestinationState = null, SourceState = null });
                        return last;
                    }
                }

                progress.Update(s => PostCopyStatus.With(s, last, peer.Name));
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested && e is PeerUnreachableException or MigrationException or OperationCanceledException)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (environment.Time.GetElapsedTime(answered) >= AnswersWithin)
                {
                    if (last.Paused is null)
                    {
                        LogPaused(peer.Name, e.Message);
                    }

                    last = last with { Paused = $"link to {peer.Name} lost" };
                    progress.Update(s => PostCopyStatus.With(s, last, peer.Name));
                }
            }

            await Task.Delay(LookInterval < environment.Limits.RetryDelay ? LookInterval : environment.Limits.RetryDelay, environment.Time, cancellationToken);
        }
    }

    /// <summary>Nobody may ask any more. Idempotent.</summary>
    public void End() => environment.Remaining.Remove(journal.MigrationId);

    private RemainingMemory Open(IReadOnlyCollection<LeftProcess> processes, IReadOnlyDictionary<int, PageSet> pages) =>
        new(journal.Value(JournalKeys.Peer)!.GetValue<string>(), pages, environment.FrozenMemory.Open(processes), new BandwidthLimit(environment.Limits.BandwidthBitsPerSecond, environment.Time));

    [LoggerMessage(LogLevel.Warning, "{Peer} does not answer, and has not all of the container's memory yet: it stays frozen here ({Reason})")]
    private partial void LogPaused(string peer, string reason);

    private sealed class Announcement : IPageSink
    {
        internal Dictionary<int, PageSet> Pages { get; } = [];

        public void Miss(int processId, PageRange range)
        {
            if (!Pages.TryGetValue(processId, out var pages))
            {
                Pages[processId] = pages = new PageSet();
            }

            pages.Add(new AddressRange(range.Address, range.End));
        }

        public void Write(int processId, ulong address, ReadOnlySpan<byte> pages) => throw Foreign();

        public void WriteZero(int processId, PageRange range) => throw Foreign();

        public void Drop(int processId, PageRange range) => throw Foreign();

        private static InvalidDataException Foreign() => new("the list of what stayed behind is damaged");
    }
}
