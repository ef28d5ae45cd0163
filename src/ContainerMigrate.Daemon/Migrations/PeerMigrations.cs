using System.Collections.Concurrent;
using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Daemon.Logging;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>The destination's side: containers that are arriving, and the checks before they do.</summary>
internal sealed partial class PeerMigrations(MigrationEnvironment environment, MigrationIndex index, ILoggerFactory loggers) : IAsyncDisposable
{
    // From a container's restore to the source's GO pass milliseconds, and hardly more until it asks why it was left alone.
    private static readonly TimeSpan PatienceAtTheEnd = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, TargetMigration> _arriving = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _reserving = new(1, 1);
    private readonly ILogger _logger = loggers.CreateLogger("arrivals");
    private volatile bool _stopping;

    /// <summary>Would this container fit here?</summary>
    /// <param name="peer">Who asks.</param>
    /// <param name="fromFile">The container runs nowhere: its addresses have to be free.</param>
    public async Task<PeerCheckReply> CheckAsync(PeerCheckRequest request, string peer, CancellationToken cancellationToken, bool fromFile = false)
    {
        Validate(request.Manifest);
        var runtime = environment.Runtime(request.Manifest.Runtime);
        var facts = await environment.Host.ReadFactsAsync(cancellationToken);
        var findings = new List<CheckFinding>();
        var status = await runtime.GetStatusAsync(cancellationToken);
        IReadOnlyList<string> missing = [];
        IReadOnlyList<MountFacts> mounts = [];
        if (status.Available)
        {
            findings.AddRange(await runtime.CheckTargetAsync(request.Manifest, cancellationToken));
            missing = request.Manifest.Image is { } image ? await runtime.FindMissingLayersAsync(image, cancellationToken) : [];
            findings.AddRange(request.PostCopy ? await CheckWayBackAsync(peer, cancellationToken) : []);
            findings.AddRange(await CheckAddressesAsync(runtime, request.Manifest, fromFile, cancellationToken));
            mounts = request.Manifest.Mounts.Any(m => m.HasFiles) ? await runtime.LookAtMountsAsync(request.Manifest, cancellationToken) : [];
        }
        else
        {
            findings.Add(new CheckFinding(CheckNames.Runtime, CheckSeverity.Error, "", $"{runtime.Name} is not available: {status.Detail}", "`ctmigrate doctor` on that host says what is missing"));
        }

        if (environment.Kept.Find(peer, request.Manifest.SourceId) is { } kept)
        {
            findings.Add(new CheckFinding(CheckNames.Disk, CheckSeverity.Information, "", $"{ByteSize.Format(kept.Bytes)} of its files are kept of an earlier attempt, until {kept.Until:yyyy-MM-dd HH:mm} UTC: what of them is still right is not sent again"));
            // Its room is taken already.
            mounts = [.. mounts.Select(m => m with { FreeBytes = m.FreeBytes + kept.Bytes })];
        }

        return new PeerCheckReply(facts, [.. findings.Select(f => f with { Host = environment.HostName })], missing, CheckNames.All, mounts);
    }

    /// <summary>Holds name, address and room for a container; refuses with the findings that say why.</summary>
    /// <param name="fromFile">As in <see cref="CheckAsync"/>.</param>
    public async Task<ReserveReply> ReserveAsync(ReserveRequest request, string peer, CancellationToken cancellationToken, bool fromFile = false)
    {
        if (!ManifestValidator.IsName(request.MigrationId) || request.Epoch < 1 || request.LeaseSeconds is < 1 or > 3600)
        {
            throw new MigrationException("protocol", "migration id, epoch or lease is out of range");
        }

        environment.Kept.Sweep();
        var hasKept = environment.Kept.Find(peer, request.Manifest.SourceId) is not null;
        var check = await CheckAsync(new PeerCheckRequest(request.Manifest, request.SourceFacts, request.Skip, request.PostCopy), peer, cancellationToken, fromFile);
        var imageBytes = check.MissingLayers.Count > 0 ? request.Manifest.Image?.SizeBytes ?? 0 : 0;
        var errors = check.Findings.Concat(HostComparison.Compare(request.SourceFacts with { Clock = check.Facts.Clock }, check.Facts, request.Manifest, imageBytes))
            .Concat(MountComparison.Compare(request.Manifest, check.Mounts ?? [], environment.HostName))
            .Where(f => f.Severity == CheckSeverity.Error && !request.Skip.Contains(f.Check) && (!request.Manifest.Offline || OfflineChecks.Concerns(f))).ToList();
        if (errors.Count > 0)
        {
            return new ReserveReply(false, errors, []);
        }

        TargetMigration migration;
        await _reserving.WaitAsync(cancellationToken);
        try
        {
            if (_stopping)
            {
                throw new MigrationException("reserve", "ctmigrated is being stopped", "migrate again once it runs");
            }

            if (environment.Journals.Exists(request.MigrationId))
            {
                throw new MigrationException("reserve", $"migration {request.MigrationId} is known here already");
            }

            if (index.FindActive(request.Manifest.Runtime, request.Manifest.Name) is { } other)
            {
                throw new MigrationException("reserve", $"migration {other} is about a container of that name", $"`ctmigrate status {other}` on this host");
            }

            var journal = environment.Journals.Create(request.MigrationId, MigrationRole.Destination);
            var progress = index.Add(new MigrationStatus
            {
                Id = request.MigrationId, Role = "destination", Container = request.Manifest.Name, Runtime = request.Manifest.Runtime, Source = peer,
                Destination = environment.HostName, Phase = MigrationPhase.New, StartedAt = environment.Time.GetUtcNow(),
            });
            migration = new TargetMigration(environment, journal, request.Manifest, peer, TimeSpan.FromSeconds(request.LeaseSeconds), progress, loggers.CreateLogger<TargetMigration>());
            _arriving[request.MigrationId] = migration;
        }
        finally
        {
            _reserving.Release();
        }

        using var scope = _logger.BeginMigration(request.MigrationId);
        try
        {
            await migration.ReserveAsync(check.MissingLayers.Count == 0, request.KeepFiles, cancellationToken);
        }
        catch (Exception e) when (e is MigrationException or OperationCanceledException or IOException or InvalidOperationException)
        {
            await migration.AbortAsync(new AbortRequest(request.Epoch, e.Message));
            throw;
        }

        return new ReserveReply(true, [.. check.Findings.Where(f => f.Severity != CheckSeverity.Error)], check.MissingLayers, hasKept);
    }

    /// <summary>The migration if this peer may speak about it.</summary>
    /// <exception cref="MigrationException">It is not known here, or belongs to another peer.</exception>
    public TargetMigration Get(string migrationId, string peer) =>
        _arriving.TryGetValue(migrationId, out var migration) && migration.Peer == peer
            ? migration
            : throw new MigrationException("protocol", $"migration {migrationId} is not known here");

    /// <summary>State of a migration, from the journal when it is over; <see cref="MigrationPhase.New"/> when it was never known.</summary>
    public PeerState State(string migrationId, string peer)
    {
        if (_arriving.TryGetValue(migrationId, out var migration))
        {
            if (migration.Peer != peer)
            {
                return Unknown;
            }

            migration.Renew();
            return migration.State();
        }

        if (ManifestValidator.IsName(migrationId) && environment.Journals.Find(migrationId) is { Role: MigrationRole.Destination } journal
            && journal.Value(JournalKeys.Peer)?.GetValue<string>() is var recorded && (recorded is null || recorded == peer))
        {
            return new PeerState(journal.Phase, journal.Epoch, journal.Phase == MigrationPhase.Done, "", null, null);
        }

        return Unknown;
    }

    /// <summary>GO also for a migration that a restart of this daemon has closed.</summary>
    public Task<PeerState> GoAsync(string migrationId, string peer, GoRequest request, CancellationToken cancellationToken) =>
        _arriving.TryGetValue(migrationId, out var migration) && migration.Peer == peer
            ? migration.GoAsync(request, cancellationToken)
            : Task.FromResult(State(migrationId, peer));

    /// <summary>Abort also of a migration that is over or was never known.</summary>
    public Task<PeerState> AbortAsync(string migrationId, string peer, AbortRequest request) =>
        _arriving.TryGetValue(migrationId, out var migration) && migration.Peer == peer
            ? migration.AbortAsync(request)
            : Task.FromResult(State(migrationId, peer));

    /// <summary>Makes what arrived durable; nothing to do for a migration that is over.</summary>
    public Task<PeerState> SettleAsync(string migrationId, string peer, CancellationToken cancellationToken) =>
        _arriving.TryGetValue(migrationId, out var migration) && migration.Peer == peer
            ? migration.SettleAsync(cancellationToken)
            : Task.FromResult(State(migrationId, peer));

    /// <summary>The source's copy is gone; repeated it changes nothing.</summary>
    public Task<PeerState> FinishAsync(string migrationId, string peer) =>
        _arriving.TryGetValue(migrationId, out var migration) && migration.Peer == peer
            ? migration.FinishAsync(CancellationToken.None)
            : Task.FromResult(State(migrationId, peer));

    /// <summary>After a start of the daemon: takes up an arrival that is not closed.</summary>
    public async Task RecoverAsync(IMigrationJournal journal, CancellationToken cancellationToken)
    {
        if (journal.Value(JournalKeys.Manifest) is not { } node || journal.Value(JournalKeys.Peer)?.GetValue<string>() is not { } peer)
        {
            if (journal.Phase != MigrationPhase.Aborted)
            {
                journal.Append(MigrationPhase.Aborted);
            }

            journal.Close();
            return;
        }

        var manifest = System.Text.Json.JsonSerializer.Deserialize(node, JournalJson.Default.ContainerManifest)!;
        var progress = index.Add(new MigrationStatus
        {
            Id = journal.MigrationId, Role = "destination", Container = manifest.Name, Runtime = manifest.Runtime, Source = peer,
            Destination = environment.HostName, Phase = journal.Phase, StartedAt = journal.Records[0].At, Activity = "recovering",
        });
        var migration = new TargetMigration(environment, journal, manifest, peer, environment.Limits.Lease, progress, loggers.CreateLogger<TargetMigration>());
        _arriving[journal.MigrationId] = migration;
        using var scope = _logger.BeginMigration(journal.MigrationId);
        LogRecovering(journal.Phase);
        await migration.RecoverAsync(cancellationToken);
    }

    /// <summary>The daemon ends: no container arrives any more, and what is not committed is given up.</summary>
    public async Task StopAsync()
    {
        await _reserving.WaitAsync();
        _stopping = true;
        _reserving.Release();
        using var late = new CancellationTokenSource(PatienceAtTheEnd);
        await Task.WhenAll(_arriving.Values.Select(async migration =>
        {
            using var scope = _logger.BeginMigration(migration.Id);
            try
            {
                await migration.StopAsync(late.Token);
            }
            catch (Exception e)
            {
                // A session's edge: a restart takes it up.
                LogNotGivenUp(e);
            }
        }));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var migration in _arriving.Values)
        {
            await migration.DisposeAsync();
        }

        _reserving.Dispose();
    }

    private static PeerState Unknown => new(MigrationPhase.New, 0, false, "this migration is not known here", null, null);

    private static void Validate(ContainerManifest manifest)
    {
        if (ManifestValidator.FindProblem(manifest) is { } problem)
        {
            throw new MigrationException("protocol", $"the manifest is refused: {problem}");
        }
    }

    // Every other connection goes from the source to here; memory that stays behind has to be asked for.
    private async Task<IReadOnlyList<CheckFinding>> CheckWayBackAsync(string peer, CancellationToken cancellationToken)
    {
        try
        {
            await (environment.Sources.Find(peer) ?? throw new PeerUnreachableException(peer, "it is not paired")).GreetAsync(cancellationToken);
            return [];
        }
        catch (Exception e) when (e is PeerUnreachableException or MigrationException)
        {
            return
            [
                new CheckFinding(CheckNames.Memory, CheckSeverity.Error, "", $"post-copy fetches memory from {peer}, which cannot be reached from here: {e.Message}",
                    $"let this host connect to {peer} (`ctmigrate hosts` here), or move without post-copy"),
            ];
        }
    }

    // The container's own answer proves that both hosts are on the segment; another's, that the address is taken.
    private async Task<IReadOnlyList<CheckFinding>> CheckAddressesAsync(IContainerRuntime runtime, ContainerManifest manifest, bool fromFile, CancellationToken cancellationToken)
    {
        var hostLinks = await runtime.FindHostLinksAsync(manifest, cancellationToken);
        var probes = manifest.Links.Where(l => hostLinks.ContainsKey(l.Name)).SelectMany(link => link.Addresses.Select(address => ProbeAsync(link, hostLinks[link.Name], address, fromFile, cancellationToken)));
        return [.. (await Task.WhenAll(probes)).OfType<CheckFinding>()];
    }

    private async Task<CheckFinding?> ProbeAsync(NetworkLink link, string hostLink, string address, bool fromFile, CancellationToken cancellationToken)
    {
        var ip = System.Net.IPAddress.Parse(address.AsSpan(0, address.IndexOf('/', StringComparison.Ordinal)));
        if (ip.IsIPv6LinkLocal)
        {
            return null;
        }

        string? owner;
        try
        {
            owner = await environment.Network.ProbeAsync(hostLink, ip, TimeSpan.FromSeconds(1), cancellationToken);
        }
        catch (MigrationException e)
        {
            return new CheckFinding(CheckNames.Address, CheckSeverity.Error, "", $"{ip} could not be looked for behind {hostLink}: {e.Failure.Cause}");
        }

        if (fromFile)
        {
            return owner is null ? null : new CheckFinding(CheckNames.Address, CheckSeverity.Error, "", $"{ip} is in use by {owner} behind {hostLink}", "end what has it, which may be the container that was saved");
        }

        if (owner is null)
        {
            // A bridge that is the host's own is a segment for itself: nothing there was ever reachable from the other host.
            var isolated = link.Kind == "veth";
            return new CheckFinding(CheckNames.Address, isolated ? CheckSeverity.Warning : CheckSeverity.Error, "",
                $"nobody answers for {ip} behind {hostLink}: the two hosts do not share that network segment",
                isolated ? "connections from outside the source host will not follow" : "connect both hosts to one layer-2 network");
        }

        return string.Equals(owner, link.MacAddress, StringComparison.OrdinalIgnoreCase)
            ? null
            : new CheckFinding(CheckNames.Address, CheckSeverity.Error, "", $"{ip} is in use by {owner} behind {hostLink}; the container's own address is {link.MacAddress}", "resolve the address conflict first");
    }

    [LoggerMessage(LogLevel.Information, "taking up an arrival at {Phase}")]
    private partial void LogRecovering(MigrationPhase phase);

    [LoggerMessage(LogLevel.Error, "it could not be given up; the next start of ctmigrated does")]
    private partial void LogNotGivenUp(Exception exception);
}
