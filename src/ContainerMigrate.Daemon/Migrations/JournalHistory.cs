using System.Text.Json;
using ContainerMigrate.Api;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>Tells from a journal how a past migration went.</summary>
internal static class JournalHistory
{
    public static MigrationStatus Describe(IMigrationJournal journal, string hostName)
    {
        var peer = Text(journal, JournalKeys.Peer) ?? "?";
        var isSource = journal.Role == MigrationRole.Source;
        var records = journal.Records;
        return new MigrationStatus
        {
            Id = journal.MigrationId,
            Role = isSource ? "source" : "destination",
            Container = Text(journal, JournalKeys.ContainerName) ?? "?",
            Runtime = Text(journal, JournalKeys.Runtime) ?? "?",
            Source = isSource ? hostName : peer,
            Destination = isSource ? peer : hostName,
            Phase = journal.Phase,
            StartedAt = records[0].At,
            EndedAt = journal.IsClosed ? records[^1].At : null,
            Failure = journal.Value(JournalKeys.Failure)?.Deserialize(JournalJson.Default.MigrationFailure),
            Result = journal.Value(JournalKeys.Result)?.Deserialize(JournalJson.Default.MigrationResult),
            ExitCode = journal.Phase switch
            {
                MigrationPhase.Done => journal.Value(JournalKeys.ExitCode)?.GetValue<int>() ?? ExitCodes.Done,
                MigrationPhase.Aborted => journal.Value(JournalKeys.ExitCode)?.GetValue<int>() ?? ExitCodes.FailedSourceRunning,
                _ => null,
            },
        };
    }

    private static string? Text(IMigrationJournal journal, string key) => journal.Value(key)?.GetValue<string>();
}
