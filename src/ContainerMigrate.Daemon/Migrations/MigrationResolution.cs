using System.Text.Json;
using ContainerMigrate.Api;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>Shows an operator both hosts' journals of a migration, and carries out what he decides when they cannot.</summary>
internal sealed class MigrationResolution(MigrationEnvironment environment, MigrationIndex index, PeerDirectory peers, PeerHttpClientFactory clients, PeerMigrations arrivals)
{
    private static readonly TimeSpan AnswersWithin = TimeSpan.FromSeconds(5);

    /// <exception cref="ApiException">There is no such migration.</exception>
    public async Task<JournalsReport> DescribeAsync(string id, CancellationToken cancellationToken)
    {
        var (status, journal) = Find(id);
        var isSource = journal.Role == MigrationRole.Source;
        var (peer, missing) = await AskAsync(status.Id, isSource ? status.Destination : status.Source, cancellationToken);
        var own = new JournalView { Host = environment.HostName, Lines = LinesOf(journal), IsClosed = journal.IsClosed };
        var other = new JournalView { Host = isSource ? status.Destination : status.Source, Missing = missing, Lines = peer?.Lines ?? [], IsClosed = peer?.IsClosed ?? false };
        var (decides, choices) = DoubtAdvice.Of(status, peer, journal.Value(JournalKeys.LeftBehindBytes) is not null, journal.Value(JournalKeys.Overruled) is not null);
        return new JournalsReport { Status = status, Source = isSource ? own : other, Destination = isSource ? other : own, Decides = decides, Choices = choices };
    }

    /// <returns>How the migration stands now.</returns>
    /// <exception cref="ApiException">It cannot be decided so.</exception>
    public async Task<MigrationStatus> ResolveAsync(string id, string winner, CancellationToken cancellationToken)
    {
        if (!Winners.All.Contains(winner))
        {
            throw ApiException.BadRequest($"the winner is {Winners.Source} or {Winners.Destination}, not '{winner}'");
        }

        var report = await DescribeAsync(id, cancellationToken);
        if (report.Choices.All(c => c.Winner != winner))
        {
            var instead = report.Choices is [var one] && report.Choices.Count == 1 ? $"; only the {one.Winner} can be decided for on {environment.HostName}" : "";
            throw ApiException.Refused($"migration {report.Status.Id} cannot be decided for the {winner}: {report.Decides}{instead}");
        }

        var progress = index.Find(report.Status.Id)!;
        if (report.Status.Role == "destination")
        {
            await arrivals.Get(report.Status.Id, report.Status.Source).ResolveAsync(cancellationToken);
        }
        else if (await progress.Decision.DecideAsync(winner).WaitAsync(cancellationToken) is { } refusal)
        {
            throw ApiException.Refused($"migration {report.Status.Id} was not decided: {refusal}");
        }

        return progress.Status;
    }

    /// <summary>What this host has recorded of a migration with that peer; empty for any other.</summary>
    public static PeerJournal DescribeTo(string peer, string id, MigrationEnvironment environment, PeerMigrations arrivals)
    {
        if (!Containers.ManifestValidator.IsName(id) || environment.Journals.Find(id) is not { } journal || journal.Value(JournalKeys.Peer)?.GetValue<string>() != peer)
        {
            return new PeerJournal([], false, arrivals.State(id, peer));
        }

        return new PeerJournal(LinesOf(journal), journal.IsClosed, journal.Role == MigrationRole.Destination ? arrivals.State(id, peer) : null);
    }

    private (MigrationStatus Status, IMigrationJournal Journal) Find(string id)
    {
        var full = index.Find(id)?.Status.Id ?? id;
        if (!Containers.ManifestValidator.IsName(full) || environment.Journals.Find(full) is not { } journal)
        {
            throw ApiException.NotFound($"there is no migration '{id}' that has begun (`ctmigrate status` and `ctmigrate history` list them)");
        }

        return (index.Find(full)?.Status ?? JournalHistory.Describe(journal, environment.HostName), journal);
    }

    private async Task<(PeerJournal? Journal, string Missing)> AskAsync(string id, string name, CancellationToken cancellationToken)
    {
        if (peers.FindByName(name) is not { } known)
        {
            return (null, $"{name} is not paired with this host");
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(AnswersWithin);
        try
        {
            return (await new HttpPeer(name, clients.GetClient(known)).GetJournalAsync(id, limit.Token), "");
        }
        catch (Exception e) when (e is PeerUnreachableException or MigrationException)
        {
            return (null, e.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, $"{name} does not answer within {AnswersWithin.TotalSeconds:0} s");
        }
    }

    private static IReadOnlyList<JournalLine> LinesOf(IMigrationJournal journal) =>
        [.. journal.Records.Select(r => new JournalLine(r.Phase, r.Epoch, r.At, NoteOf(r)))];

    private static string NoteOf(JournalRecord record)
    {
        var data = record.Data;
        return data is null ? ""
            : data[JournalKeys.Resolved] is { } winner ? $"an operator decided for the {winner}"
            : data[JournalKeys.Overruled] is not null ? "held: the source's operator decided otherwise"
            : data[JournalKeys.Closed] is not null ? "nothing is left to do"
            : data[JournalKeys.Failure]?.Deserialize(JournalJson.Default.MigrationFailure) is { } failure ? failure.Cause
            : data[JournalKeys.RestartPolicy] is not null && record.Phase == MigrationPhase.PreCopy ? "the restart policy is taken away"
            : data[JournalKeys.StandsStill] is { } stands ? (stands.GetValue<bool>() ? "stands still: the source cannot be asked for memory" : "goes on") : "";
    }
}
