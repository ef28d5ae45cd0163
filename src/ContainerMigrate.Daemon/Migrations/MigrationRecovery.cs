using ContainerMigrate.Daemon.Saving;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>At the daemon's start: takes up every migration that is not closed. At its end: brings each to where a restart may take it up, while peers and operators can still be told.</summary>
internal sealed partial class MigrationRecovery(IJournalStore journals, MigrationService departures, PeerMigrations arrivals, MigrationEnvironment environment, ILogger<MigrationRecovery> logger) : IHostedLifecycleService
{
    // A disk or a runtime that hangs does not keep the daemon from its end: the next one takes up what is left.
    private static readonly TimeSpan AtTheEnd = TimeSpan.FromSeconds(10);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var unfinished = journals.OpenUnfinished(out var damaged);
        foreach (var (id, reason) in damaged)
        {
            LogDamaged(id, reason);
        }

        foreach (var journal in unfinished)
        {
            if (journal.Role == MigrationRole.Source)
            {
                departures.Recover(journal);
            }
            else
            {
                // Not waited for: a runtime that does not answer must not keep the daemon from its other work. Requests about this arrival wait.
                _ = RecoverArrivalAsync(journal);
            }
        }

        foreach (var journal in journals.ReadAll().Where(j => j.IsClosed))
        {
            if (journal.Role == MigrationRole.Destination)
            {
                _ = ResumeMemoryAsync(journal);
            }
            else if (ResolvedDeparture.HasToTell(journal))
            {
                departures.TellAgain(journal);
            }
        }

        return Task.CompletedTask;
    }

    public async Task StoppingAsync(CancellationToken cancellationToken) =>
        await Task.WhenAll(departures.StopAsync(), arrivals.StopAsync()).WaitAsync(AtTheEnd, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task RecoverArrivalAsync(IMigrationJournal journal)
    {
        try
        {
            await arrivals.RecoverAsync(journal, CancellationToken.None);
            if (journal is { Phase: MigrationPhase.Committed, IsClosed: false } && journal.Value(JournalKeys.Peer)?.GetValue<string>() is { } peer && FilePeer.IsFile(peer))
            {
                // A file does not ask.
                await arrivals.SettleAsync(journal.MigrationId, peer, CancellationToken.None);
                await arrivals.FinishAsync(journal.MigrationId, peer);
            }
        }
        catch (Exception e)
        {
            // A session's edge: the next request about it, the end of its lease or a restart tries again.
            LogFailed(e, journal.MigrationId);
        }
    }

    // A container that has arrived may still be getting its memory.
    private async Task ResumeMemoryAsync(IMigrationJournal journal)
    {
        try
        {
            await environment.Arrivals.ResumeAsync(journal.Directory, CancellationToken.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogFailed(e, journal.MigrationId);
        }
    }

    [LoggerMessage(LogLevel.Error, "the journal of migration {Id} cannot be read and is left alone: {Reason}")]
    private partial void LogDamaged(string id, string reason);

    [LoggerMessage(LogLevel.Error, "migration {Id} could not be taken up")]
    private partial void LogFailed(Exception exception, string id);
}
