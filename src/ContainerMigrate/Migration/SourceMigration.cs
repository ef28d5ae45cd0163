using System.Text.Json.Nodes;
using ContainerMigrate.Api;
using ContainerMigrate.Journal;
using ContainerMigrate.Memory;
using ContainerMigrate.Protocol;
using ContainerMigrate.Storage;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>
/// Moves one container away from this host. Before each side effect its record is on disk; up to GO any failure ends with the
/// container running here, and from GO on <see cref="SourceHandover"/> decides.
/// </summary>
public sealed partial class SourceMigration
{
    private const double DefaultMaxDowntimeSeconds = 0.3;

    private const string CheckPeer = "check that ctmigrated runs there and that the link is up";

    private static readonly TimeSpan AbortTimeout = TimeSpan.FromSeconds(5);

    private readonly MigrationEnvironment _environment;
    private readonly IPeer _peer;
    private readonly MigrateRequest _request;
    private readonly IMigrationJournal _journal;
    private readonly ILogger _logger;
    private readonly PhaseClock _clock;
    private readonly SourceStreams _streams;
    private ISourceMemory? _memory;
    private DepartingPackets? _packets;
    private SourceFiles? _files;
    private CpuThrottle? _throttle;
    private bool _refused;
    private MigrationFailure? _untold;
    private bool _reserved;

    public SourceMigration(MigrationEnvironment environment, IPeer peer, MigrateRequest request, IMigrationJournal journal, MigrationProgress progress, ILogger logger)
    {
        ArgumentNullException.ThrowIfNull(environment);
        _environment = environment;
        _peer = peer;
        _request = request;
        _journal = journal;
        Progress = progress;
        _logger = logger;
        _clock = new PhaseClock(environment.Time);
        _streams = new SourceStreams(environment, peer, journal, progress, logger);
    }

    public MigrationProgress Progress { get; }

    private TimeSpan Deadline => _request.DeadlineSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : _environment.Limits.Deadline;

    /// <summary>Runs the migration to its end; never throws for an expected failure, which ends up in <see cref="Progress"/>.</summary>
    /// <param name="plan">A plan without errors.</param>
    /// <param name="cancel">The operator's cancel; obeyed up to GO.</param>
    /// <param name="shutdown">The daemon stops: before GO the container is given back, after it everything stays as the journal says.</param>
    public async Task RunAsync(MigrationPlan plan, CancellationToken cancel, CancellationToken shutdown)
    {
        ArgumentNullException.ThrowIfNull(plan);
        try
        {
            await MigrateAsync(plan, cancel, shutdown);
        }
        finally
        {
            await CloseMemoryAsync();
            await (_packets?.DisposeAsync() ?? ValueTask.CompletedTask);
        }
    }

    private async Task MigrateAsync(MigrationPlan plan, CancellationToken cancel, CancellationToken shutdown)
    {
        var total = _environment.Time.GetTimestamp();
        try
        {
            using var end = new CancellationTokenSource();
            var lease = KeepLeaseAsync(end.Token);
            try
            {
                await UpToGoAsync(plan, cancel, shutdown);
                if (_request.LeaveRunning)
                {
                    await LeaveRunningAsync(plan, total);
                    return;
                }
            }
            finally
            {
                await end.CancelAsync();
                await lease;
            }
        }
        catch (Exception e)
        {
            // Also when the daemon stops: nobody knows when it will be started again, and the container may be frozen.
            await CloseMemoryAsync();
            await AbortAsync(plan, e, cancel.IsCancellationRequested, shutdown.IsCancellationRequested);
            return;
        }

        Progress.Say("handing over");
        var handover = new SourceHandover(_environment, _logger);
        var state = await handover.RunAsync(_journal, _peer, Progress, shutdown);
        if (state.Phase == MigrationPhase.Aborted)
        {
            await (_packets?.DeliverHereAsync() ?? Task.CompletedTask);
            Fail(state.Failure ?? new MigrationFailure(_peer.Name, "commit", state.Detail), ExitCodes.FailedSourceRunning, plan.Container.Manifest.Paused, _journal.Value(JournalKeys.Resolved) is null ? "absent" : "unknown");
            return;
        }

        _clock.Mark("go");
        _clock.Split("go", state.Parts);
        _clock.Leave(PeerState.AfterThePause);
        var packets = _packets is null ? null : await _packets.EndAsync();
        var result = new MigrationResult
        {
            PauseMs = Math.Round(_clock.TotalMs, 1),
            PredictedMs = _memory?.PredictedPauseMs is { } predicted ? Math.Round(predicted) : plan.Report.PredictedPauseMs,
            Rounds = _memory?.Rounds ?? 0,
            FileRounds = _files?.Rounds ?? 0,
            FilesAheadBytes = _files?.AheadBytes ?? 0,
            FilesInPauseBytes = _files?.InPauseBytes ?? 0,
            FrozenBeforeSwitchoverMs = Math.Round(_memory?.Stopped.TotalMilliseconds ?? 0, 2),
            PauseParts = _clock.Parts,
            SentBytes = _streams.SentBytes,
            WireBytes = _streams.SentBytes,
            DestinationId = state.Detail,
            KeptPackets = packets,
        };
        RememberPause(plan, result);
        await handover.CleanUpAsync(_journal, _peer, Progress, arrival => result = result with
        {
            TotalMs = Math.Round(_environment.Time.GetElapsedTime(total).TotalMilliseconds, 1),
            SentBytes = _streams.SentBytes + (arrival?.TotalBytes ?? 0),
            WireBytes = _streams.SentBytes + (arrival?.TotalBytes ?? 0),
            PostCopy = arrival,
        }, shutdown);
        LogDone(plan.Container.Reference.Name, _peer.Name, result.PauseMs, result.TotalMs);
        Progress.Update(s => s with
        {
            Phase = MigrationPhase.Done, Activity = "", Result = result, Failure = s.ExitCode == ExitCodes.Lost ? s.Failure : null, EndedAt = _environment.Time.GetUtcNow(), ExitCode = s.ExitCode ?? ExitCodes.Done,
            SourceState = "removed", DestinationState = s.ExitCode == ExitCodes.Lost ? "absent" : _request.ToFile ? "saved" : plan.Container.Manifest.Paused ? "paused" : "running",
        });
    }

    // The file has it all. The container runs before the disk has it: whether the file may bear its name is found out afterwards.
    private async Task LeaveRunningAsync(MigrationPlan plan, long began)
    {
        _journal.Append(MigrationPhase.Aborted, new JsonObject { [JournalKeys.LeftRunning] = true });
        await new SourceRollback(_environment, _logger).RunAsync(_journal, CancellationToken.None);
        await (_packets?.DeliverHereAsync() ?? Task.CompletedTask);
        _clock.Mark("go on");
        Progress.Say("making the file durable");
        var state = await _peer.GoAsync(_journal.MigrationId, new GoRequest(_journal.Epoch, []), CancellationToken.None);
        if (state.Phase == MigrationPhase.Aborted)
        {
            throw new MigrationException(state.Failure ?? new MigrationFailure(_environment.HostName, "save", state.Detail));
        }

        var result = new MigrationResult
        {
            PauseMs = Math.Round(_clock.TotalMs, 1), TotalMs = Math.Round(_environment.Time.GetElapsedTime(began).TotalMilliseconds, 1), PauseParts = _clock.Parts, FileRounds = _files?.Rounds ?? 0,
            FilesAheadBytes = _files?.AheadBytes ?? 0, FilesInPauseBytes = _files?.InPauseBytes ?? 0, SentBytes = _streams.SentBytes, WireBytes = _streams.SentBytes,
        };
        _journal.Close(new JsonObject { [JournalKeys.ExitCode] = ExitCodes.Done, [JournalKeys.Result] = System.Text.Json.JsonSerializer.SerializeToNode(result, JournalJson.Default.MigrationResult) });
        Progress.Update(s => s with
        {
            Phase = MigrationPhase.Done, Activity = "", Result = result, EndedAt = _environment.Time.GetUtcNow(), ExitCode = ExitCodes.Done,
            SourceState = plan.Container.Manifest.Paused ? "paused" : "running", DestinationState = "saved",
        });
    }

    private void RememberPause(MigrationPlan plan, MigrationResult result)
    {
        if (!plan.Container.Manifest.Offline && !_request.ToFile)
        {
            _environment.Pauses.Add(_peer.Name, plan.Runtime.Name, PauseSample.Of(plan.Container.Manifest, plan.Report.Mode == MigrationModes.PostCopy ? MigrationModes.PreCopy : plan.Report.Mode, _memory?.LeftToCopyMs ?? 0, result.PauseMs, result.PauseParts));
        }
    }

    private async Task<ISourceMemory> OpenMemoryAsync(MigrationPlan plan, CancellationToken cancellationToken)
    {
        if (plan.Report.Mode == MigrationModes.Offline)
        {
            return new NoMemory();
        }

        if (plan.Report.Mode is not (MigrationModes.PreCopy or MigrationModes.PostCopy))
        {
            return new StopAndCopyMemory(_environment, _streams, plan.Container, _journal, Progress);
        }

        if (plan.Report.Tracker == MemoryTrackers.SoftDirty)
        {
            _journal.Append(MigrationPhase.PreCopy, new JsonObject { [JournalKeys.Cgroup] = plan.Container.CgroupDirectory, [JournalKeys.FreezesInRounds] = true });
        }

        _throttle = CpuThrottle.Create(_environment, _request.OnStall, plan.Container.CgroupDirectory, _journal);
        var memory = new TravellingMemory(await _environment.Tracker.StartAsync(plan.Container.CgroupDirectory, cancellationToken));
        var rounds = new MemoryRounds(
            memory, new ConvergencePolicy(TimeSpan.FromSeconds(_request.MaxDowntimeSeconds ?? DefaultMaxDowntimeSeconds)), plan.Estimate.PreCopy(plan.Container.Manifest), plan.Report.Mode, _request.OnStall, _throttle, _environment.Time,
            (number, write, token) => _streams.SendAsync(BulkTransfer.Memory, $"pre-copy round {number}", memory.PendingBytes, (stream, _, t) => write(stream, t), token),
            round =>
            {
                LogRound(round.Number, round.DirtyBytes >> 20, round.SentBytes >> 20, round.DurationMs, round.DirtyBytesPerSecond / 1e6, round.StoppedMs, round.Verdict);
                Progress.Update(s => s with { Rounds = [.. s.Rounds, round] });
            });
        return new PreCopyMemory(_environment, _streams, plan.Container, _journal, Progress, memory, rounds, new PostCopyDeparture(_environment, _journal, _logger));
    }

    private async Task CloseMemoryAsync()
    {
        if (Interlocked.Exchange(ref _memory, null) is { } memory)
        {
            await memory.DisposeAsync();
        }
    }

    // A long dump is silence for the destination, which would take us for dead.
    private async Task KeepLeaseAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await Task.Delay(_environment.Limits.Lease / 4, _environment.Time, cancellationToken);
                try
                {
                    await _peer.GetStateAsync(_journal.MigrationId, cancellationToken);
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    // Whoever needs the peer next finds out and decides; nothing that happens here may end what is past GO.
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The lease is not needed any more.
        }
    }

    private async Task UpToGoAsync(MigrationPlan plan, CancellationToken cancel, CancellationToken shutdown)
    {
        var container = plan.Container;
        var manifest = container.Manifest;
        using var deadline = new CancellationTokenSource(Deadline, _environment.Time);
        using var ahead = CancellationTokenSource.CreateLinkedTokenSource(cancel, shutdown, deadline.Token);
        var freezeTimeout = FreezeTimeout(plan);

        var planned = new JsonObject
        {
            [JournalKeys.Peer] = _peer.Name,
            [JournalKeys.Runtime] = plan.Runtime.Name,
            [JournalKeys.ContainerId] = container.Reference.Id,
            [JournalKeys.ContainerName] = container.Reference.Name,
        };
        if (_request.Evacuation)
        {
            planned[JournalKeys.Evacuation] = true;
        }

        DepartingVolumes.Note(planned, container, _environment.Directories, _request.KeepVolumes || plan.HasVolumeUsers);
        Step(MigrationPhase.Planned, "reserving on " + _peer.Name, planned);
        var reserved = await Guard("reserve", deadline, () => _peer.ReserveAsync(
            new ReserveRequest(_journal.MigrationId, _journal.Epoch, manifest, plan.Facts, _request.Skip, _environment.Limits.Lease.TotalSeconds, freezeTimeout.TotalSeconds, MayLeaveMemory(plan), _request.KeepDestination), ahead.Token));
        if (!reserved.Reserved)
        {
            _refused = true;
            Progress.Update(s => s with { Findings = [.. s.Findings.Concat(reserved.Findings).Distinct()] });
            var first = reserved.Findings.FirstOrDefault(f => f.Severity == Checks.CheckSeverity.Error);
            throw new MigrationException(new MigrationFailure(_peer.Name, "reserve", first?.Message ?? "refused", first?.Hint));
        }

        _reserved = true;

        if (reserved.MissingLayers.Count > 0 && manifest.Image is { } image)
        {
            await Guard("image", deadline, () => _streams.SendAsync(BulkTransfer.Image, $"sending image {image.Reference}", image.SizeBytes,
                (stream, _, token) => plan.Runtime.ExportImageAsync(image, reserved.MissingLayers, stream, token), ahead.Token));
        }

        var bytesPerSecond = await Guard("transfer", deadline, () => _streams.TryConnectionAsync(ahead.Token));
        var log = await _streams.SendLogAsync(container, LogPosition.Start, ahead.Token);
        Step(MigrationPhase.PreCopy, "pre-copy", null);
        // Half of the deadline at most: what is late then still has time to be handed over.
        using var late = new CancellationTokenSource(Deadline / 2, _environment.Time);
        var files = _files = new SourceFiles(_environment, _streams, container, Progress, _logger);
        if (reserved.HasKept)
        {
            await Guard("pre-copy", deadline, () => files.TakeKeptAsync(_peer, _journal.MigrationId, ahead.Token));
        }

        await Guard("pre-copy", deadline, () => files.GoAheadAsync(late.Token, ahead.Token));
        Progress.Say("waiting until the memory of its last move is in place");
        await Guard("pre-copy", deadline, () => _environment.Arrivals.WaitUntilFilledAsync(container.Reference.Id, ahead.Token));
        var memory = _memory = await OpenMemoryAsync(plan, ahead.Token);
        await Guard("pre-copy", deadline, () => memory.GoAheadAsync(bytesPerSecond, late.Token, ahead.Token));
        await Guard("pre-copy", deadline, () => files.GoAheadAsync(late.Token, ahead.Token)); // what changed while memory went ahead
        await Guard("pre-copy", deadline, () => memory.GetReadyAsync(ahead.Token));
        var policy = await plan.Runtime.ReadRestartPolicyAsync(container.Reference, ahead.Token);
        Step(MigrationPhase.PreCopy, "taking the restart policy away", new JsonObject { [JournalKeys.RestartPolicy] = policy.DeepClone() });
        await plan.Runtime.SuspendRestartPolicyAsync(container.Reference, ahead.Token);

        if (manifest.Offline)
        {
            var offline = new OfflineSwitchover(_environment, _peer, _journal, _streams, files, _clock, Progress);
            await Guard("switchover", deadline, () => offline.RunAsync(plan, log, Step, ahead.Token));
            Step(MigrationPhase.Go, "handing over", null);
            return;
        }

        _packets = await DepartingPackets.OpenAsync(_environment, container.NetworkNamespacePath, _peer, _journal.MigrationId, _logger, ahead.Token);
        using var frozen = new CancellationTokenSource(freezeTimeout, _environment.Time);
        using var switchover = CancellationTokenSource.CreateLinkedTokenSource(cancel, shutdown, frozen.Token);
        await Guard("switchover", frozen, async () =>
        {
            await SwitchoverAsync(plan, memory, files, log, switchover.Token);
            switchover.Token.ThrowIfCancellationRequested();
        });

        if (_request.LeaveRunning)
        {
            return;
        }

        Step(MigrationPhase.Go, "handing over", memory.LeftBehindBytes is { } left ? new JsonObject { [JournalKeys.LeftBehindBytes] = left } : null);
    }

    private bool MayLeaveMemory(MigrationPlan plan) =>
        plan.Report.Mode == MigrationModes.PostCopy || (plan.Report.Mode == MigrationModes.PreCopy && _request.OnStall == StallActions.PostCopy);

    private async Task SwitchoverAsync(MigrationPlan plan, ISourceMemory memory, SourceFiles files, LogPosition log, CancellationToken cancellationToken)
    {
        var container = plan.Container;
        Step(MigrationPhase.Frozen, "freezing", new JsonObject
        {
            [JournalKeys.Cgroup] = container.CgroupDirectory,
            [JournalKeys.InitPid] = container.InitPid,
            [JournalKeys.Paused] = container.Manifest.Paused,
        });
        // It has to stand when GO is recorded; here it waits for the disk before the pause.
        _environment.Refusals.Refuse(container.Reference.Id, $"this container is being handed over to {_peer.Name} (migration {_journal.MigrationId}); `ctmigrate status {_journal.MigrationId}` tells how it stands");
        _throttle?.GiveBack();
        _clock.Restart();
        // Before the freeze: the container still reads what has come so far, and of datagrams only what it has read goes with it.
        await _packets!.BeginAsync(cancellationToken);
        _clock.Mark("keep");
        await _environment.Freezer.FreezeAsync(container.CgroupDirectory, TimeSpan.FromSeconds(5), cancellationToken);
        _clock.Mark("freeze");
        // The kernel acknowledges TCP data for frozen processes too: only a fence keeps what arrives now from being lost.
        await _environment.Fence.RaiseAsync(container.NetworkNamespacePath, cancellationToken);
        _clock.Mark("fence");

        await memory.GoFrozenAsync(SendFilesAsync, _clock, cancellationToken);
        Progress.Say("restoring on " + _peer.Name);
        var prepared = await _peer.PrepareAsync(_journal.MigrationId, new PrepareRequest(_journal.Epoch, memory.IsLazy), cancellationToken);
        _clock.Mark("restore");
        _clock.Split("restore", prepared.Parts);
        if (!_environment.Freezer.IsFrozen(container.CgroupDirectory))
        {
            // Somebody has killed, removed or thawed it meanwhile: what the dump shows is not to come back.
            throw new MigrationException("switchover", "the container did not stay frozen until it was handed over");
        }

        async Task SendFilesAsync(CancellationToken token)
        {
            // In this order: the layer's arrival makes the runtime start, which opens the log.
            await Task.WhenAll(files.ScanRestAsync(token), _streams.SendLogAsync(container, log, token));
            await files.SendRestAsync(token);
        }
    }

    private TimeSpan FreezeTimeout(MigrationPlan plan)
    {
        if (_request.ToFile)
        {
            return Deadline; // nobody waits for the container but the disk
        }

        if (_request.FreezeTimeoutSeconds is { } seconds)
        {
            return TimeSpan.FromSeconds(seconds);
        }

        // Memory is copied while frozen: a limit below the time that takes would refuse every large container.
        var predicted = TimeSpan.FromMilliseconds(5 * (plan.Report.PredictedPauseMs ?? 0));
        return predicted > _environment.Limits.FreezeTimeout ? predicted : _environment.Limits.FreezeTimeout;
    }

    private static async Task<T> Guard<T>(string stage, CancellationTokenSource limit, Func<Task<T>> step)
    {
        try
        {
            return await step();
        }
        catch (OperationCanceledException e) when (limit.IsCancellationRequested)
        {
            throw new MigrationException(stage, "the time allowed for it has passed", stage == "switchover" ? "raise --freeze-timeout" : "raise --deadline", e);
        }
    }

    private static Task<bool> Guard(string stage, CancellationTokenSource limit, Func<Task> step) =>
        Guard(stage, limit, async () =>
        {
            await step();
            return true;
        });

    private async Task AbortAsync(MigrationPlan plan, Exception reason, bool cancelled, bool stopping)
    {
        var stage = _journal.Phase switch
        {
            MigrationPhase.New or MigrationPhase.Planned => _reserved ? "transfer" : "reserve",
            MigrationPhase.PreCopy => "pre-copy",
            _ => "switchover",
        };
        var failure = reason switch
        {
            MigrationException { Failure: { Host.Length: 0 } inner } => inner with { Host = _environment.HostName },
            MigrationException { Failure: var inner } => inner,
            PeerUnreachableException e => new MigrationFailure(e.Host, stage, e.Message, CheckPeer),
            OperationCanceledException when stopping => new MigrationFailure(_environment.HostName, stage, "ctmigrated was stopped", "migrate again once it runs"),
            OperationCanceledException when cancelled => new MigrationFailure(_environment.HostName, stage, "cancelled by the operator"),
            OperationCanceledException => new MigrationFailure(_environment.HostName, stage, "the time allowed for it has passed", "raise --deadline"),
            _ => new MigrationFailure(_environment.HostName, stage, reason.Message, "its log says more: /var/log/ctmigrate/ctmigrated.log"),
        };
        if (reason is not (MigrationException or PeerUnreachableException or OperationCanceledException))
        {
            LogUnexpected(reason);
        }

        LogAborted(failure.ToString());
        var isGivenBack = _journal.Phase == MigrationPhase.Aborted; // saved and left running: only the file is missing
        try
        {
            if (!isGivenBack)
            {
                _journal.Append(MigrationPhase.Aborted, SourceHandover.FailureData(failure));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The journal's disk is full or gone. GO was not sent, so the container may run here; a restarted daemon finds the
            // same out by asking the destination.
            LogUnexpected(e);
        }

        await new SourceRollback(_environment, _logger).RunAsync(_journal, CancellationToken.None);
        await (isGivenBack || _packets is null ? Task.CompletedTask : _packets.DeliverHereAsync());
        var state = await ReleasePeerAsync(failure);
        var released = state is not null;
        if (!released && !cancelled && reason is MigrationException { InnerException: OperationCanceledException })
        {
            // More time would not have helped: it is the link or the host.
            failure = failure with { Cause = $"{failure.Cause}, and {_peer.Name} does not answer", NextStep = CheckPeer };
        }

        var (sourceState, outside) = await LookAfterAsync(plan, stage, failure);
        failure = cancelled ? failure : outside ?? failure;
        var exitCode = cancelled ? ExitCodes.Cancelled : _refused ? ExitCodes.Refused : ExitCodes.FailedSourceRunning;
        try
        {
            _journal.Close(new JsonObject { [JournalKeys.ExitCode] = exitCode });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogUnexpected(e); // a restarted daemon does all of this again, which changes nothing
        }

        Fail(failure, exitCode, plan.Container.Manifest.Paused, released ? "absent" : "unknown", sourceState, state?.KeptBytes ?? 0);
    }

    // What somebody else does to a container that moves, and its own end, are seen as failures of all kinds; this is what they come from.
    private async Task<(string? State, MigrationFailure? Failure)> LookAfterAsync(MigrationPlan plan, string stage, MigrationFailure failure)
    {
        try
        {
            using var limit = new CancellationTokenSource(AbortTimeout, _environment.Time);
            var life = await plan.Runtime.FindLifeAsync(plan.Container.Reference, limit.Token);
            var wasStopped = _journal.Value(JournalKeys.Stopped) is not null;
            return life.InitPid == plan.Container.InitPid || (wasStopped && life.InitPid > 0) ? (null, null)
                : wasStopped && life.Exists ? ("stopped", Outside($"{failure.Cause}, and the container, which was stopped, could not be started again", $"start it: docker start {plan.Container.Reference.Name}"))
                : life.InitPid > 0 ? ("running", Outside("the container was restarted meanwhile", "migrate again"))
                : life.Exists ? ("stopped", Outside($"the container has ended by itself, or was ended: {life.End}", "start it, and migrate again"))
                : ("removed", Outside($"the container has ended by itself, or was ended: {life.End}", null));
        }
        catch (Exception e) when (e is MigrationException or OperationCanceledException)
        {
            return ("unknown", null); // the runtime does not answer, which is what most likely has failed
        }

        MigrationFailure Outside(string cause, string? next) => new(_environment.HostName, stage, cause, next);
    }

    private async Task<PeerState?> ReleasePeerAsync(MigrationFailure failure)
    {
        try
        {
            // Before GO the destination cannot run the container; if it does not hear this, its lease ends.
            using var limit = new CancellationTokenSource(AbortTimeout, _environment.Time);
            return await _peer.AbortAsync(_journal.MigrationId, new AbortRequest(_journal.Epoch, failure.ToString()), limit.Token);
        }
        catch (Exception e) when (e is PeerUnreachableException or MigrationException or OperationCanceledException)
        {
            LogPeerNotTold(_peer.Name, e.Message);
            _untold = failure;
            return null;
        }
    }

    /// <summary>After the end: a destination that was too busy to hear that it is over, or could not be reached, is told as soon as it can, until its lease has ended.</summary>
    /// <param name="shutdown">The daemon stops.</param>
    public async Task TellPeerAsync(CancellationToken shutdown)
    {
        using var lease = new CancellationTokenSource(_environment.Limits.Lease, _environment.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(lease.Token, shutdown);
        while (Interlocked.Exchange(ref _untold, null) is { } failure && await ReleasePeerAsync(failure) is null && !either.IsCancellationRequested)
        {
            await Task.Delay(_environment.Limits.RetryDelay, _environment.Time, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Fail(MigrationFailure failure, int exitCode, bool paused, string destinationState = "absent", string? sourceState = null, long keptBytes = 0) =>
        Progress.Update(s => s with
        {
            Phase = MigrationPhase.Aborted, Activity = "", Failure = failure, EndedAt = _environment.Time.GetUtcNow(), ExitCode = exitCode,
            SourceState = sourceState ?? (paused ? "paused" : "running"), DestinationState = destinationState, KeptBytes = keptBytes,
        });

    private void Step(MigrationPhase phase, string activity, JsonObject? data)
    {
        _journal.Append(phase, data);
        LogPhase(phase, activity);
        Progress.Update(s => s with { Phase = phase, Activity = activity, TotalBytes = 0, SentBytes = 0, BytesPerSecond = 0 });
    }

    [LoggerMessage(LogLevel.Information, "{Phase}: {Activity}")]
    private partial void LogPhase(MigrationPhase phase, string activity);

    [LoggerMessage(LogLevel.Information, "round {Round}: {DirtyMebibytes} MiB to send, {SentMebibytes} MiB sent in {DurationMs} ms, {DirtyMegabytesPerSecond} MB/s dirtied, stopped for {StoppedMs} ms so far: {Verdict}")]
    private partial void LogRound(int round, long dirtyMebibytes, long sentMebibytes, double durationMs, double dirtyMegabytesPerSecond, double stoppedMs, string verdict);

    [LoggerMessage(LogLevel.Warning, "given up, the container runs here: {Failure}")]
    private partial void LogAborted(string failure);

    [LoggerMessage(LogLevel.Error, "unexpected failure")]
    private partial void LogUnexpected(Exception exception);

    [LoggerMessage(LogLevel.Warning, "{Peer} could not be told of the abort, its lease will end: {Reason}")]
    private partial void LogPeerNotTold(string peer, string reason);

    [LoggerMessage(LogLevel.Information, "{Container} runs on {Peer}: pause {PauseMs} ms, total {TotalMs} ms")]
    private partial void LogDone(string container, string peer, double pauseMs, double totalMs);
}
