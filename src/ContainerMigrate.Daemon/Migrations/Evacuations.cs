using System.Globalization;
using ContainerMigrate.Api;
using ContainerMigrate.Containers;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>What emptying this host needs beside migrations: which containers there are, which ones have left for it, and bringing those back.</summary>
internal sealed class Evacuations(MigrationEnvironment environment, MigrationService migrations, MigrationIndex index, PeerDirectory peers, PeerHttpClientFactory clients, DaemonOptions options)
{
    /// <summary>Ids of migrations whose containers are where they went no more, a line each: nobody is asked for them again.</summary>
    private readonly string _goneFile = Path.Combine(options.StateDirectory, "evacuated-gone");
    private readonly Lock _writing = new();

    /// <summary>Everything that runs here.</summary>
    public async Task<ContainerList> ListAsync(CancellationToken cancellationToken)
    {
        var containers = new List<ContainerSummary>();
        foreach (var runtime in environment.Runtimes)
        {
            if ((await runtime.GetStatusAsync(cancellationToken)).Available)
            {
                containers.AddRange((await runtime.ListAsync(cancellationToken)).Select(Describe));
            }
        }

        return new ContainerList(containers);
    }

    /// <summary>What an evacuation has moved away and nobody has brought back, the latest first.</summary>
    public EvacuatedList ListEvacuated()
    {
        var journals = environment.Journals.ReadAll().Where(j => j.Phase == MigrationPhase.Done && NameOf(j) is not null).ToList();
        var gone = File.Exists(_goneFile) ? File.ReadAllLines(_goneFile).ToHashSet(StringComparer.Ordinal) : [];
        var latest = journals.GroupBy(j => (Text(j, JournalKeys.Runtime), NameOf(j))).Select(g => g.MaxBy(j => j.Records[0].At)!);
        return new EvacuatedList(
        [
            .. latest.Where(j => j.Role == MigrationRole.Source && j.Value(JournalKeys.Evacuation)?.GetValue<bool>() is true && !gone.Contains(j.MigrationId)).OrderByDescending(j => j.Records[0].At)
                .Select(j => new EvacuatedContainer(j.MigrationId, NameOf(j)!, Text(j, JournalKeys.Runtime) ?? "", Text(j, JournalKeys.Peer) ?? "?")),
        ]);
    }

    /// <summary>Asks the host that has it to move an evacuated container back, and waits for how that ends.</summary>
    /// <exception cref="MigrationException">It is none, or its host refuses.</exception>
    public async Task<MigrationStatus> ReturnAsync(string migrationId, CancellationToken cancellationToken)
    {
        var container = ListEvacuated().Containers.FirstOrDefault(c => c.MigrationId == migrationId)
                        ?? throw new MigrationException(new MigrationFailure(environment.HostName, "return", $"no container was evacuated by migration {migrationId}, or it has come back", "`ctmigrate history`"));
        var peer = peers.FindByName(container.Host)
                   ?? throw new MigrationException(new MigrationFailure(environment.HostName, "return", $"{container.Host} is not paired any more", $"`ctmigrate hosts pair {container.Host}`"));
        try
        {
            return await new HttpPeer(peer.Name, clients.GetClient(peer)).ReturnAsync(migrationId, cancellationToken);
        }
        catch (MigrationException e) when (e.Failure.Stage == EvacuatedContainer.Gone)
        {
            lock (_writing)
            {
                File.AppendAllLines(_goneFile, [migrationId]);
            }

            throw;
        }
        catch (PeerUnreachableException e)
        {
            throw new MigrationException(new MigrationFailure(peer.Name, "return", e.Message, $"`ctmigrate hosts` shows whether {peer.Name} answers"), e);
        }
    }

    /// <summary>A peer asks for a container back that came from it; it must be what that migration brought.</summary>
    public async Task<MigrationStatus> SendBackAsync(string migrationId, string peer, CancellationToken cancellationToken)
    {
        if (!ManifestValidator.IsName(migrationId)
            || environment.Journals.Find(migrationId) is not { Role: MigrationRole.Destination, Phase: MigrationPhase.Done } journal || Text(journal, JournalKeys.Peer) != peer
            || Text(journal, JournalKeys.ContainerId) is not { } container || Text(journal, JournalKeys.Runtime) is not { } runtime)
        {
            throw new MigrationException("return", $"migration {migrationId} brought no container here from {peer}");
        }

        if ((await environment.Runtime(runtime).FindAsync(container, cancellationToken)).Count == 0)
        {
            throw new MigrationException(EvacuatedContainer.Gone, "the container is not here any more", "if it was moved on, bring it back from there");
        }

        var id = await migrations.StartAsync(new MigrateRequest { Container = $"{runtime}:{container}", Host = peer }, cancellationToken);
        var progress = index.Find(id)!;
        while (true)
        {
            var changed = progress.Changed;
            if (progress.Status is { EndedAt: not null } ended)
            {
                return ended;
            }

            await changed.WaitAsync(cancellationToken);
        }
    }

    private static ContainerSummary Describe(RunningContainer container) => new(
        container.Reference.Id, container.Reference.Name, container.Reference.Runtime,
        container.Labels.GetValueOrDefault(EvacuationLabels.Policy) ?? EvacuationLabels.Live,
        int.TryParse(container.Labels.GetValueOrDefault(EvacuationLabels.Priority), CultureInfo.InvariantCulture, out var priority) ? priority : 0,
        container.Labels.GetValueOrDefault(EvacuationLabels.Target));

    private static string? NameOf(IMigrationJournal journal) => Text(journal, JournalKeys.ContainerName);

    private static string? Text(IMigrationJournal journal, string key) => journal.Value(key)?.GetValue<string>();
}
