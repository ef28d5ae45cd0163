using ContainerMigrate.Journal;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>At the daemon's start: takes up every migration that is not closed.</summary>
internal sealed partial class MigrationRecovery(IJournalStore journals, MigrationService departures, PeerMigrations arrivals, ILogger<MigrationRecovery> logger) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
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
                continue;
            }

            try
            {
                await arrivals.RecoverAsync(journal, cancellationToken);
            }
            catch (Exception e) when (e is MigrationException or IOException or InvalidOperationException)
            {
                LogFailed(e, journal.MigrationId);
            }
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(LogLevel.Error, "the journal of migration {Id} cannot be read and is left alone: {Reason}")]
    private partial void LogDamaged(string id, string reason);

    [LoggerMessage(LogLevel.Error, "migration {Id} could not be taken up")]
    private partial void LogFailed(Exception exception, string id);
}
