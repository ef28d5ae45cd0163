using System.Collections.Concurrent;
using System.Globalization;
using ContainerMigrate.Api;
using ContainerMigrate.Daemon.Logging;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Daemon.Saving;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;
using ContainerMigrate.Saving;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>The source's side: migrations that an operator of this host has asked for.</summary>
internal sealed partial class MigrationService : IPeerUse, IAsyncDisposable
{
    private readonly MigrationEnvironment _environment;
    private readonly MigrationIndex _index;
    private readonly PeerDirectory _peers;
    private readonly PeerHttpClientFactory _clients;
    private readonly Identity.DaemonIdentity _identity;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _logger;
    private readonly Faults.FaultPoints? _faults;
    private readonly MigrationPlanner _planner;
    private readonly CancellationTokenSource _shutdown = new();
    private readonly ConcurrentDictionary<string, CancellationTokenSource> _cancels = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Task> _running = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _starting = new(1, 1);
    private int _disposed;

    public MigrationService(
        MigrationEnvironment environment, MigrationIndex index, PeerDirectory peers, PeerHttpClientFactory clients, Identity.DaemonIdentity identity, ILoggerFactory loggers,
        Faults.FaultPoints? faults = null)
    {
        _environment = environment;
        _index = index;
        _peers = peers;
        _clients = clients;
        _identity = identity;
        _loggers = loggers;
        _faults = faults;
        _logger = loggers.CreateLogger<MigrationService>();
        _planner = new MigrationPlanner(environment);
    }

    public async Task<CheckReport> CheckAsync(CheckRequest request, CancellationToken cancellationToken)
    {
        var plan = await PlanAsync(request, cancellationToken);
        return plan.Report;
    }

    /// <summary>Checks both hosts, then starts the migration; returns its id. A refused or dry run ends at once and carries the findings.</summary>
    /// <exception cref="ApiException">The request is wrong.</exception>
    /// <exception cref="MigrationException">Nothing can be started: no such container, no such host, another migration is under way.</exception>
    public async Task<string> StartAsync(MigrateRequest request, CancellationToken cancellationToken)
    {
        if (!MigrationModes.All.Contains(request.Mode))
        {
            throw ApiException.BadRequest($"mode '{request.Mode}' is not supported by this version; {string.Join(", ", MigrationModes.All)} are");
        }

        if (!StallActions.All.Contains(request.OnStall) || request.MaxDowntimeSeconds is <= 0 or > 3600)
        {
            throw ApiException.BadRequest($"on_stall is one of {string.Join(", ", StallActions.All)}, and the maximum downtime is within 1 h");
        }

        if (request.DeadlineSeconds is <= 0 or > 86400 || request.FreezeTimeoutSeconds is <= 0 or > 3600)
        {
            throw ApiException.BadRequest("deadline must be within 24 h and freeze timeout within 1 h");
        }

        var plan = await PlanAsync(new CheckRequest { Container = request.Container, Host = request.Host, Skip = request.Skip, Mode = request.Mode, OnStall = request.OnStall, Volumes = request.Volumes }, cancellationToken);
        return await StartAsync(request, plan, PeerOf(request.Host), cancellationToken);
    }

    /// <summary>Checks a container, then puts it into a file; returns the id of what is a migration but for its destination.</summary>
    /// <exception cref="MigrationException">Nothing can be started: no such container, the file is there already, a migration is under way.</exception>
    public async Task<string> SaveAsync(SaveRequest request, CancellationToken cancellationToken)
    {
        if (request.DeadlineSeconds is <= 0 or > 86400)
        {
            throw ApiException.BadRequest("deadline must be within 24 h");
        }

        FilePeer.CheckPath(request.File, _environment.HostName);
        var peer = new FilePeer(request.File, _environment.Host, _environment.HostName, _environment.Time)
        {
            Secret = request.Secret is null ? null : Checked(request.Secret), WithImage = request.WithImage, LeaveRunning = request.LeaveRunning,
        };
        var check = new CheckRequest { Container = request.Container, Host = request.File, Skip = request.Skip, Mode = MigrationModes.StopAndCopy, Volumes = request.Volumes };
        var plan = await PlanAsync(check, peer, cancellationToken);
        var migrate = new MigrateRequest
        {
            Container = request.Container, Host = request.File, Skip = request.Skip, Mode = MigrationModes.StopAndCopy, Volumes = request.Volumes, KeepVolumes = request.KeepVolumes, Evacuation = request.Evacuation,
            DeadlineSeconds = request.DeadlineSeconds, ToFile = true, LeaveRunning = request.LeaveRunning,
        };
        return await StartAsync(migrate, plan, peer, cancellationToken);
    }

    private static SavedSecret Checked(SavedSecret secret)
    {
        try
        {
            return SavedSecret.Check(secret);
        }
        catch (InvalidDataException e)
        {
            throw ApiException.BadRequest(e.Message);
        }
    }

    private async Task<string> StartAsync(MigrateRequest request, MigrationPlan plan, IPeer peer, CancellationToken cancellationToken)
    {
        await _starting.WaitAsync(cancellationToken);
        try
        {
            if (_shutdown.IsCancellationRequested)
            {
                throw Refused("ctmigrated is being stopped", "migrate again once it runs");
            }

            if (_index.FindActive(plan.Runtime.Name, plan.Container.Reference.Name) is { } other)
            {
                var memory = _index.Find(other)?.Status is { PostCopy: { IsComplete: false } left } arrival ? $": {Checks.ByteSize.Format(left.MissingBytes)} of its memory are still on {arrival.Source}" : "";
                throw Refused($"migration {other} of that container is under way{memory}", $"`ctmigrate status {other}`");
            }

            var id = NewId();
            // First of all: where it cannot be made, there is no migration.
            var journal = plan.Report.Ok && !request.DryRun ? _environment.Journals.Create(id, MigrationRole.Source) : null;
            var progress = _index.Add(new MigrationStatus
            {
                Id = id, Role = "source", Container = plan.Container.Reference.Name, Runtime = plan.Runtime.Name, Source = _environment.HostName, Destination = peer.Name,
                Phase = MigrationPhase.New, StartedAt = _environment.Time.GetUtcNow(), Findings = plan.Report.Findings, Mode = plan.Report.Mode, Tracker = plan.Report.Tracker, Activity = "checked",
            });
            if (journal is null)
            {
                End(progress, plan, request.DryRun);
                return id;
            }

            if (peer is FilePeer file)
            {
                file.Journal = journal;
            }

            var migration = new SourceMigration(_environment, peer is FilePeer && _faults is not null ? _faults.Wrap(peer) : peer, request, journal, progress, _loggers.CreateLogger<SourceMigration>());
            var cancel = _cancels[id] = new CancellationTokenSource();
            Run(journal, peer, progress, async () =>
            {
                await migration.RunAsync(plan, cancel.Token, _shutdown.Token);
                await migration.TellPeerAsync(_shutdown.Token);
                await (peer is FilePeer saved ? saved.DisposeAsync() : ValueTask.CompletedTask);
            });
            return id;
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>Asks a migration to stop; true when that is still possible.</summary>
    public bool Cancel(MigrationStatus status)
    {
        if (status.Phase >= MigrationPhase.Go || status.EndedAt is not null || !_cancels.TryGetValue(status.Id, out var cancel))
        {
            return false;
        }

        try
        {
            cancel.Cancel();
            return true;
        }
        catch (ObjectDisposedException)
        {
            return false; // it has ended just now
        }
    }

    /// <summary>After a start of the daemon: carries on or undoes a departure that is not closed.</summary>
    public void Recover(IMigrationJournal journal)
    {
        var peerName = journal.Value(JournalKeys.Peer)?.GetValue<string>() ?? "?";
        var progress = _index.Add(new MigrationStatus
        {
            Id = journal.MigrationId, Role = "source", Container = journal.Value(JournalKeys.ContainerName)?.GetValue<string>() ?? "?",
            Runtime = journal.Value(JournalKeys.Runtime)?.GetValue<string>() ?? "?", Source = _environment.HostName, Destination = peerName,
            Phase = journal.Phase, StartedAt = journal.Records[0].At, Activity = "recovering",
        });
        var peer = FilePeer.IsFile(peerName) ? new FilePeer(peerName, _environment.Host, _environment.HostName, _environment.Time) : _peers.FindByName(peerName) is { } known ? Connect(known) : null;
        Run(journal, peer, progress, () =>
        {
            LogRecovering(journal.Phase);
            return new SourceRecovery(_environment, _loggers.CreateLogger<SourceRecovery>()).RunAsync(journal, peer, progress, _shutdown.Token);
        });
    }

    /// <inheritdoc/>
    public string? DescribeUse(string peerName) =>
        _index.All.FirstOrDefault(m => m.EndedAt is null && (m.Destination == peerName || m.Source == peerName)) is { } active
            ? $"migration {active.Id} of {active.Container}"
            : null;

    /// <summary>Stops what may stop; the journals keep the rest.</summary>
    public async Task StopAsync()
    {
        await _shutdown.CancelAsync();
        await Task.WhenAll(_running.Values);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // Registered under two types, and disposed of for each.
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await StopAsync();
        _shutdown.Dispose();
        _starting.Dispose();
    }

    /// <summary>After a start of the daemon: a destination still has to be told what an operator here has decided.</summary>
    public void TellAgain(IMigrationJournal journal)
    {
        if (journal.Value(JournalKeys.Peer)?.GetValue<string>() is { } name && _peers.FindByName(name) is { } known)
        {
            Run(journal, Connect(known), _index.Add(JournalHistory.Describe(journal, _environment.HostName)), () => Task.CompletedTask);
        }
    }

    private void Run(IMigrationJournal journal, IPeer? peer, MigrationProgress progress, Func<Task> migrate)
    {
        var id = journal.MigrationId;
        _running[id] = Task.Run(async () =>
        {
            using var scope = _logger.BeginMigration(id);
            try
            {
                await migrate();
                if (peer is not null && ResolvedDeparture.HasToTell(journal))
                {
                    await new ResolvedDeparture(_environment, _loggers.CreateLogger<ResolvedDeparture>()).TellAsync(journal, peer, progress, _shutdown.Token);
                }
            }
            catch (OperationCanceledException) when (_shutdown.IsCancellationRequested)
            {
                LogLeft(); // the journal has everything
            }
            catch (Exception e)
            {
                // A session's edge: whatever went wrong, the journal says how far it got, and a restart takes it up.
                LogUnexpected(e);
                progress.Update(s => s with { Activity = "stuck; restart ctmigrated to recover", Failure = new MigrationFailure(_environment.HostName, s.Phase.ToString(), e.Message, "its log says more") });
            }
            finally
            {
                if (_cancels.TryRemove(id, out var cancel))
                {
                    cancel.Dispose();
                }

                _running.TryRemove(id, out _);
            }
        });
    }

    private Task<MigrationPlan> PlanAsync(CheckRequest request, CancellationToken cancellationToken) => PlanAsync(request, PeerOf(request.Host), cancellationToken);

    private async Task<MigrationPlan> PlanAsync(CheckRequest request, IPeer peer, CancellationToken cancellationToken)
    {
        try
        {
            return await _planner.PlanAsync(request, peer, cancellationToken);
        }
        catch (PeerUnreachableException e)
        {
            var (cause, next) = PeerFailures.Describe(e.InnerException ?? e, _peers.FindByName(peer.Name)!.Address);
            throw new MigrationException(new MigrationFailure(peer.Name, "check", cause, next ?? $"`ctmigrate hosts` shows whether {peer.Name} answers"), e);
        }
        catch (MigrationException e) when (e.Failure.Host.Length == 0)
        {
            throw new MigrationException(e.Failure with { Host = _environment.HostName }, e);
        }
    }

    private IPeer PeerOf(string host)
    {
        if (string.Equals(host, _environment.HostName, StringComparison.OrdinalIgnoreCase) || host is "localhost" or "127.0.0.1" or "::1")
        {
            throw Refused($"{host} is this host: the container is here already");
        }

        if (_peers.Find(host) is not { } peer)
        {
            throw Refused($"{host} is not paired with this host", $"`ctmigrate hosts pair {host}`; `ctmigrate hosts` lists the paired ones");
        }

        return peer.Fingerprint == _identity.Fingerprint
            ? throw Refused($"{host} is this host: the container is here already")
            : Connect(peer);
    }

    private IPeer Connect(Peer peer)
    {
        var http = new HttpPeer(peer.Name, _clients.GetClient(peer));
        return _faults is null ? http : _faults.Wrap<IPeer>(http);
    }

    private void End(MigrationProgress progress, MigrationPlan plan, bool dryRun)
    {
        var first = plan.Report.Findings.FirstOrDefault(f => f.Severity == Checks.CheckSeverity.Error);
        progress.Update(s => s with
        {
            Phase = plan.Report.Ok ? MigrationPhase.Done : MigrationPhase.Aborted,
            Activity = dryRun ? "dry run" : "",
            EndedAt = _environment.Time.GetUtcNow(),
            ExitCode = plan.Report.Ok ? ExitCodes.Done : dryRun ? ExitCodes.DryRunFoundProblems : ExitCodes.Refused,
            Failure = plan.Report.Ok || first is null ? null : new MigrationFailure(first.Host, "check", first.Message, first.Hint),
            SourceState = plan.Container.Manifest.Paused ? "paused" : "running",
            DestinationState = "absent",
        });
    }

    private MigrationException Refused(string cause, string? nextStep = null) =>
        new(new MigrationFailure(_environment.HostName, "check", cause, nextStep));

    // Sorts by time, and two hosts never make the same.
    private string NewId() =>
        _environment.Time.GetUtcNow().UtcDateTime.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture) + "-" + Guid.NewGuid().ToString("N")[..6];

    [LoggerMessage(LogLevel.Information, "taking up a departure at {Phase}")]
    private partial void LogRecovering(MigrationPhase phase);

    [LoggerMessage(LogLevel.Information, "left as the journal says: the daemon stops")]
    private partial void LogLeft();

    [LoggerMessage(LogLevel.Error, "the migration is stuck")]
    private partial void LogUnexpected(Exception exception);
}
