using System.Globalization;
using ContainerMigrate.Api;
using ContainerMigrate.Containers;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Daemon.Saving;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>What emptying this host needs beside migrations: which containers there are, which ones have left for it, and bringing those back.</summary>
internal sealed class Evacuations(MigrationEnvironment environment, MigrationService migrations, MigrationIndex index, PeerDirectory peers, PeerHttpClientFactory clients, DaemonOptions options, FileArrivals files)
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

    /// <summary>Saves a container; of an evacuation without a file's name to where <see cref="ReturnAsync"/> finds it.</summary>
    public Task<string> SaveAsync(SaveRequest request, CancellationToken cancellationToken)
    {
        if (request.File.Length > 0 || !request.Evacuation)
        {
            return migrations.SaveAsync(request, cancellationToken);
        }

        var directory = Directory.CreateDirectory(options.SaveDirectory ?? Path.Combine(options.StateDirectory, "saved"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var name = request.Container[(request.Container.IndexOf(':', StringComparison.Ordinal) + 1)..];
        var time = environment.Time.GetUtcNow().UtcDateTime.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture);
        return ManifestValidator.IsName(name)
            ? migrations.SaveAsync(request with { File = Path.Combine(directory.FullName, $"{name[..Math.Min(name.Length, 64)]}-{time}.ctm") }, cancellationToken)
            : throw new MigrationException(new MigrationFailure(environment.HostName, "check", $"'{name}' is not a container's name or id"));
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
        if (FilePeer.IsFile(container.Host))
        {
            return await RestoreAsync(container, cancellationToken);
        }

        var peer = peers.FindByName(container.Host)
                   ?? throw new MigrationException(new MigrationFailure(environment.HostName, "return", $"{container.Host} is not paired any more", $"`ctmigrate hosts pair {container.Host}`"));
        try
        {
            return await new HttpPeer(peer.Name, clients.GetClient(peer)).ReturnAsync(migrationId, cancellationToken);
        }
        catch (MigrationException e) when (e.Failure.Stage == EvacuatedContainer.Gone)
        {
            Forget(migrationId);
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

        // As it came: what could not move while it ran cannot do so now.
        var mode = journal.Value(JournalKeys.Manifest)?["offline"]?.GetValue<bool>() is true ? MigrationModes.Offline : MigrationModes.Auto;
        return await EndOfAsync(await migrations.StartAsync(new MigrateRequest { Container = $"{runtime}:{container}", Host = peer, Mode = mode }, cancellationToken), cancellationToken);
    }

    private async Task<MigrationStatus> RestoreAsync(EvacuatedContainer container, CancellationToken cancellationToken)
    {
        if (!File.Exists(container.Host))
        {
            Forget(container.MigrationId);
            throw new MigrationException(new MigrationFailure(environment.HostName, EvacuatedContainer.Gone, $"{container.Host} is not there any more"));
        }

        var ended = await EndOfAsync(await files.StartAsync(new RestoreRequest { File = container.Host }, cancellationToken), cancellationToken);
        if (ended.ExitCode == ExitCodes.Done)
        {
            File.Delete(container.Host); // ours, and a second restore of it would be a second container
        }

        return ended;
    }

    private void Forget(string migrationId)
    {
        lock (_writing)
        {
            File.AppendAllLines(_goneFile, [migrationId]);
        }
    }

    private async Task<MigrationStatus> EndOfAsync(string id, CancellationToken cancellationToken)
    {
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
