using System.Text.Json;
using System.Text.Json.Nodes;
using ContainerMigrate.Api;
using ContainerMigrate.Containers;
using ContainerMigrate.Journal;
using ContainerMigrate.Memory;
using ContainerMigrate.Protocol;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>
/// One container arriving on this host. The peer's requests come one after the other, except for an abort, which may overtake; all
/// state changes go through the journal, and once <see cref="MigrationPhase.Committed"/> is there only its certain death before it ran takes it back.
/// </summary>
public sealed partial class TargetMigration : IAsyncDisposable
{
    private readonly MigrationEnvironment _environment;
    private readonly IMigrationJournal _journal;
    private readonly ContainerManifest _manifest;
    private readonly string _peer;
    private readonly TimeSpan _lease;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _step = new(1, 1);
    private readonly CancellationTokenSource _aborted = new();
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _decided = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ITimer _leaseTimer;
    private readonly ArrivingVolumes _volumes;
    private readonly ArrivingFiles _files;
    private readonly KeptFiles _kept;
    private ITargetContainer? _container;
    private readonly ArrivingPackets _packets;
    private readonly PostCopyArrival _postCopy;
    private readonly TargetActivation _activation;
    private readonly OverruledArrival _overruled;
    private readonly CancellationTokenSource _disposed = new();
    private IArrivingMemory? _memory;
    private MigrationFailure? _failure;
    private int _activeRequests;

    public TargetMigration(MigrationEnvironment environment, IMigrationJournal journal, ContainerManifest manifest, string peer, TimeSpan lease, MigrationProgress progress, ILogger logger)
    {
        ArgumentNullException.ThrowIfNull(environment);
        _environment = environment;
        _journal = journal;
        _manifest = manifest;
        _peer = peer;
        _lease = lease;
        Progress = progress;
        _logger = logger;
        _packets = new ArrivingPackets(environment, logger);
        _volumes = new ArrivingVolumes(environment, journal, manifest);
        _kept = new KeptFiles(environment, journal, manifest, peer, _volumes);
        _files = new ArrivingFiles(environment, _volumes, LimitOf(manifest.GetFileBytes()), LimitOf(manifest.LogBytes));
        _postCopy = new PostCopyArrival(environment, journal, peer, progress, logger);
        _activation = new TargetActivation(environment, journal, manifest, _packets, _postCopy, progress, logger);
        _overruled = new OverruledArrival(environment, journal, manifest, peer, progress, logger);
        _leaseTimer = environment.Time.CreateTimer(_ => LeaseEnded(), null, lease, Timeout.InfiniteTimeSpan);
    }

    public MigrationProgress Progress { get; }

    /// <summary>Name of the host that may speak about this migration.</summary>
    public string Peer => _peer;

    public string Id => _journal.MigrationId;

    public int Epoch => _journal.Epoch;

    /// <summary>Directory that receives CRIU's images.</summary>
    private string ImagesDirectory => CheckpointImages.DirectoryIn(_journal.Directory);

    private string WorkDirectory => Path.Combine(_journal.Directory, "work");

    /// <summary>Makes the container, not started, so that its name, addresses and writable layer exist before the source freezes.</summary>
    /// <param name="imageComplete">False when layers of its image are still to come; it is then made once they are here.</param>
    /// <param name="keepFiles">What has arrived of its files is kept when it does not come.</param>
    /// <param name="cancellationToken">The peer went away.</param>
    /// <exception cref="MigrationException">It cannot be made.</exception>
    public async Task ReserveAsync(bool imageComplete, bool keepFiles, CancellationToken cancellationToken)
    {
        using var use = await EnterAsync(cancellationToken);
        Step(MigrationPhase.Reserved, "reserved", new JsonObject
        {
            [JournalKeys.Peer] = _peer,
            [JournalKeys.Runtime] = _manifest.Runtime,
            [JournalKeys.ContainerName] = _manifest.Name,
            [JournalKeys.Manifest] = JsonSerializer.SerializeToNode(_manifest, JournalJson.Default.ContainerManifest),
            [JournalKeys.KeepFiles] = keepFiles,
        });
        if (imageComplete)
        {
            await CreateAsync(use.Token);
        }
    }

    /// <summary>Takes the image's missing layers.</summary>
    public Task<StreamReply> ReceiveImageAsync(Stream source, CancellationToken cancellationToken) =>
        RememberAsync(() => ImportImageAsync(source, cancellationToken));

    private async Task<StreamReply> ImportImageAsync(Stream source, CancellationToken cancellationToken)
    {
        using var use = await EnterAsync(cancellationToken);
        Expect(MigrationPhase.Reserved);
        Progress.Say("receiving the image");
        await _environment.Runtime(_manifest.Runtime).ImportImageAsync(_manifest.Image!, source, use.Token);
        await CreateAsync(use.Token);
        return new StreamReply(1, 0);
    }

    /// <summary>Takes what the source sends to try the connection, and throws it away.</summary>
    public Task<StreamReply> ReceiveProbeAsync(Stream source, CancellationToken cancellationToken) =>
        RememberAsync(async () =>
        {
            using var use = await EnterAsync(cancellationToken);
            Expect(MigrationPhase.Reserved);
            return await ArrivingProbe.ReceiveAsync(_environment, CheckpointImages.ProbeIn(_journal.Directory), source, use.Token);
        });

    /// <summary>Writes what is kept here of a tree since an earlier attempt.</summary>
    /// <param name="tree">Number of a volume, or that of the layer.</param>
    /// <param name="destination">Gets the list.</param>
    /// <param name="cancellationToken">The peer went away.</param>
    public async Task DescribeKeptAsync(int tree, Stream destination, CancellationToken cancellationToken)
    {
        using var use = await EnterAsync(cancellationToken);
        Expect(MigrationPhase.Reserved);
        Progress.Say("comparing what is kept of the last attempt");
        await _kept.DescribeAsync(tree, _container ?? throw new MigrationException("protocol", "the image has not arrived"), destination, use.Token);
    }

    /// <summary>Takes files while the container runs on the source: all of them, and later what has changed.</summary>
    public Task<StreamReply> ReceiveFilesAsync(Stream source, CancellationToken cancellationToken) =>
        RememberAsync(async () =>
        {
            using var use = await EnterAsync(cancellationToken);
            Expect(MigrationPhase.Reserved);
            Progress.Say("receiving files");
            return await _files.ReceiveAsync(_container, source, use.Token);
        });

    /// <summary>Takes what is left of the writable layer, then lets the runtime start up to the point where it needs the images.</summary>
    public Task<StreamReply> ReceiveLayerAsync(Stream source, CancellationToken cancellationToken) =>
        RememberAsync(async () =>
        {
            using var use = await EnterAsync(cancellationToken);
            Expect(MigrationPhase.Reserved);
            Step(MigrationPhase.Receiving, "receiving", null);
            return await _files.ReceiveRestAsync(_container, source, _aborted.Token, use.Token);
        });

    /// <summary>Takes a piece of the runtime's log; the first before the freeze, the last in the pause.</summary>
    public Task<StreamReply> ReceiveLogAsync(Stream source, CancellationToken cancellationToken) =>
        RememberAsync(async () =>
        {
            using var use = await EnterAsync(cancellationToken);
            Expect(MigrationPhase.Reserved);
            return await _files.ReceiveLogAsync(_container, source, use.Token);
        });

    /// <summary>Takes memory, while the container runs on the source, or what is left of it in the pause.</summary>
    public Task<StreamReply> ReceiveMemoryAsync(Stream source, CancellationToken cancellationToken) =>
        RememberAsync(async () =>
        {
            using var use = await EnterAsync(cancellationToken);
            if (_journal.Phase != MigrationPhase.Receiving)
            {
                Expect(MigrationPhase.Reserved);
            }

            var totals = await OpenMemory().ReceiveAsync(source, use.Token);
            return new StreamReply(1, (long)totals.DataPages * MemoryPage.Bytes);
        });

    /// <summary>Takes CRIU's page files while the source still writes them.</summary>
    public Task<StreamReply> ReceivePagesAsync(Stream source, CancellationToken cancellationToken) =>
        RememberAsync(async () =>
        {
            using var use = await EnterAsync(cancellationToken);
            Expect(MigrationPhase.Receiving);
            Directory.CreateDirectory(ImagesDirectory);
            return new StreamReply(1, await _environment.Pages.ReceiveAsync(ImagesDirectory, source, MemoryLimitOf(_manifest.MemoryBytes), use.Token));
        });

    /// <summary>Takes packets beside everything else, until the container runs here.</summary>
    public Task<StreamReply> ReceivePacketsAsync(Stream source, CancellationToken cancellationToken) => _packets.ReceiveAsync(source, cancellationToken);

    /// <summary>Takes CRIU's other image files.</summary>
    public Task<StreamReply> ReceiveCheckpointAsync(Stream source, CancellationToken cancellationToken) =>
        RememberAsync(() => UnpackCheckpointAsync(source, cancellationToken));

    private async Task<StreamReply> UnpackCheckpointAsync(Stream source, CancellationToken cancellationToken)
    {
        using var use = await EnterAsync(cancellationToken);
        Expect(MigrationPhase.Receiving);
        Directory.CreateDirectory(ImagesDirectory);
        Directory.CreateDirectory(WorkDirectory);
        var totals = await _environment.Copier.ReceiveAsync(ImagesDirectory, source, MemoryLimitOf(_manifest.MemoryBytes), use.Token);
        return new StreamReply(totals.Entries, totals.ContentBytes);
    }

    /// <summary>Rebuilds the process tree and holds it un-run; <see cref="MigrationPhase.Prepared"/> is recorded when this returns.</summary>
    /// <param name="request">How it is to be rebuilt.</param>
    /// <param name="cancellationToken">The peer went away.</param>
    public async Task<PrepareReply> PrepareAsync(PrepareRequest request, CancellationToken cancellationToken)
    {
        using var use = await EnterAsync(cancellationToken);
        Expect(MigrationPhase.Receiving);
        if (_manifest.Offline)
        {
            await _files.WaitForRuntimeAsync(use.Token);
            Step(MigrationPhase.Prepared, "ready to start", null);
            return new PrepareReply(_container!.Id, new Dictionary<string, double>());
        }

        var runtime = _files.WaitForRuntimeAsync(use.Token);
        var clock = new PhaseClock(_environment.Time);
        Progress.Say("restoring");
        var leftBehind = _postCopy.Serve(request.Lazy ? await OpenMemory().ServeAsync(ImagesDirectory, use.Token) : null);
        if (request.Lazy)
        {
            clock.Mark("serve");
        }

        await runtime;
        clock.Mark("wait for the runtime");
        await _container!.RestoreAsync(ImagesDirectory, WorkDirectory, request.Lazy, _packets.KeepAsync, use.Token);
        clock.Mark("criu restore");
        _memory?.Begin(_container.Id);
        _postCopy.Begin();
        _packets.PrepareDelivery(_container.NetworkNamespacePath);
        Step(MigrationPhase.Prepared, "restored and held", leftBehind);
        return new PrepareReply(_container.Id, clock.Parts);
    }

    /// <summary>
    /// The source has recorded GO. Decides once: committed if the tree is still held, aborted otherwise; asked again it says the same.
    /// </summary>
    public async Task<PeerState> GoAsync(GoRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        using var use = await EnterAsync(cancellationToken, evenIfAborted: true);
        if (request.Epoch < _journal.Epoch)
        {
            throw new MigrationException("commit", $"epoch {request.Epoch} is older than {_journal.Epoch}");
        }

        await OpenContainerAsync(cancellationToken);
        if (_journal.Phase == MigrationPhase.Prepared)
        {
            var clock = new PhaseClock(_environment.Time);
            if (_container is not null && await _container.ClaimCommitAsync(CancellationToken.None))
            {
                _journal.Append(MigrationPhase.Committed, new JsonObject { [JournalKeys.RestartPolicy] = request.RestartPolicy.DeepClone() });
                _decided.TrySetResult();
                clock.Mark("commit");
                await RunAsync(clock, isHeld: true);
            }
            else
            {
                await GiveUpAsync(new MigrationFailure(_environment.HostName, "commit", "the restored container died while it was held, or the wait for GO was too long"));
            }
        }
        else if (_journal.Phase == MigrationPhase.Committed && !_activation.IsFinished)
        {
            await RunAsync(new PhaseClock(_environment.Time), request.RestartPolicy);
        }
        else if (_journal.Phase < MigrationPhase.Prepared)
        {
            // A GO for something that was never prepared here can never become true.
            await GiveUpAsync(new MigrationFailure(_environment.HostName, "commit", "this host was not ready when GO came"));
        }

        return State();
    }

    /// <summary>Gives up if that is still possible. A later epoch is an operator's decision for the source: what has committed is held then.</summary>
    public async Task<PeerState> AbortAsync(AbortRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Epoch >= _journal.Epoch && _journal.Phase is not (MigrationPhase.Committed or MigrationPhase.Done))
        {
            await _aborted.CancelAsync();
            using var use = await EnterAsync(CancellationToken.None, evenIfAborted: true);
            await GiveUpAsync(new MigrationFailure(_peer, "abort", request.Reason));
        }

        if (_journal.Phase == MigrationPhase.Committed && request.Epoch > _journal.Epoch)
        {
            using var use = await EnterAsync(CancellationToken.None, evenIfAborted: true);
            if (_journal.Phase == MigrationPhase.Committed && request.Epoch > _journal.Epoch)
            {
                await OpenContainerAsync(CancellationToken.None);
                await _postCopy.DisposeAsync();
                await HoldAsync(request.Reason, request.Epoch);
            }
        }

        _released.TrySetResult();
        return State();
    }

    /// <summary>
    /// The daemon ends: gives up what is not committed, while the source can still be told why. The GO for a container that is restored and
    /// held may be on its way.
    /// </summary>
    /// <param name="late">Ends the wait for that GO, and for the source to ask why.</param>
    public async Task StopAsync(CancellationToken late)
    {
        if (_journal.Phase == MigrationPhase.Prepared)
        {
            await _decided.Task.WaitAsync(late).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (_journal.IsClosed || _journal.Phase is MigrationPhase.Committed or MigrationPhase.Done)
        {
            return;
        }

        var failure = new MigrationFailure(_environment.HostName, _journal.Phase < MigrationPhase.Prepared ? "transfer" : "commit", "ctmigrated was stopped", "migrate again once it runs");
        _failure ??= failure;
        await _aborted.CancelAsync();
        using (await EnterAsync(CancellationToken.None, evenIfAborted: true))
        {
            await GiveUpAsync(failure);
        }

        // Its connection was broken, or is about to be: it asks why, and says that it has given up, too.
        await _released.Task.WaitAsync(late).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>
    /// An operator of this host has decided that the container, which has committed here, may move on although the source has not been told. Should that come back and
    /// ask, it gets the usual answer.
    /// </summary>
    /// <exception cref="MigrationException">It has not committed, or is held.</exception>
    public async Task ResolveAsync(CancellationToken cancellationToken)
    {
        using var use = await EnterAsync(cancellationToken, evenIfAborted: true);
        if (_journal.Phase != MigrationPhase.Committed || _overruled.IsHeld)
        {
            throw new MigrationException(new MigrationFailure(_environment.HostName, "resolve", $"the migration is at {_journal.Phase} here: there is nothing to decide on this host"));
        }

        if (!_activation.IsRunning)
        {
            throw new MigrationException(new MigrationFailure(_environment.HostName, "resolve", "the container has committed, but does not run here", "decide for the source, there"));
        }

        _journal.Append(MigrationPhase.Committed, new JsonObject { [JournalKeys.Resolved] = Winners.Destination });
        ShowResolved();
    }

    // It has ended for everybody here; the source may still ask.
    private void ShowResolved() =>
        Progress.Update(s => s with { Activity = "", EndedAt = _environment.Time.GetUtcNow(), ExitCode = ExitCodes.Done, DestinationState = _manifest.Paused ? "paused" : "running", SourceState = "unknown" });

    private bool IsResolved => _journal.Value(JournalKeys.Resolved) is not null;

    private async Task HoldAsync(string? reason, int epoch)
    {
        await _overruled.HoldAsync(_container, reason, epoch);
        _ = EndOnceRemovedAsync();
    }

    private async Task EndOnceRemovedAsync()
    {
        try
        {
            await _overruled.WaitForRemovalAsync(_container, _disposed.Token);
            using var use = await EnterAsync(_disposed.Token, evenIfAborted: true);
            if (_container is not null)
            {
                await _container.RemoveAsync(_disposed.Token); // what else belonged to it
                _container = null;
            }

            await _environment.Arrivals.RemoveAsync(_journal.Directory);
            CheckpointImages.Delete(_journal.Directory);
            _journal.Close();
            Progress.Update(s => s with { Activity = "", EndedAt = _environment.Time.GetUtcNow(), ExitCode = ExitCodes.FailedSourceRunning, DestinationState = "absent" });
        }
        catch (OperationCanceledException)
        {
            // The daemon stops; the next one goes on waiting.
        }
        catch (Exception e)
        {
            LogFailed(e.Message); // nobody awaits this; a restarted daemon tries again
        }
    }

    /// <summary>Makes what arrived durable; the source waits for it before it destroys its copy.</summary>
    public async Task<PeerState> SettleAsync(CancellationToken cancellationToken)
    {
        if (_journal.Phase == MigrationPhase.Committed)
        {
            if (_container is { } container && Directory.Exists(container.WritableLayerDirectory))
            {
                await _environment.Copier.SyncAsync(container.WritableLayerDirectory, cancellationToken);
            }

            await _volumes.SyncAsync(cancellationToken);
        }

        return State();
    }

    /// <summary>The source's copy is gone: nothing is left to decide.</summary>
    public async Task<PeerState> FinishAsync(CancellationToken cancellationToken)
    {
        using var use = await EnterAsync(cancellationToken, evenIfAborted: true);
        if (_journal.Phase == MigrationPhase.Committed && !_overruled.IsHeld)
        {
            if (!_activation.IsRunning)
            {
                await OpenContainerAsync(cancellationToken);
                await RunAsync(new PhaseClock(_environment.Time));
            }

            _volumes.Settle();
            _journal.Append(MigrationPhase.Done);
            End();
        }

        return State();
    }

    /// <summary>The source is alive: the lease begins anew.</summary>
    public void Renew()
    {
        if (!MigrationTransitions.IsFinal(_journal.Phase) && _journal.Phase != MigrationPhase.Committed)
        {
            _leaseTimer.Change(_lease, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Where this side stands.</summary>
    public PeerState State() =>
        new(_journal.Phase, _journal.Epoch, _activation.IsRunning && !_overruled.IsHeld, _container?.Id ?? "", _failure, _activation.Parts, _postCopy.State, _kept.KeptBytes, _overruled.IsHeld);

    /// <summary>After a restart of the daemon: finishes a committed migration, undoes any other.</summary>
    public async Task RecoverAsync(CancellationToken cancellationToken)
    {
        using var use = await EnterAsync(cancellationToken, evenIfAborted: true);
        await OpenContainerAsync(cancellationToken);
        if (_journal.Phase == MigrationPhase.Prepared && _container is not null
            && await _container.GetStateAsync(cancellationToken) == TargetContainerState.Running)
        {
            // The claim was made and the gate obeyed it before the record was written.
            _journal.Append(MigrationPhase.Committed);
        }

        switch (_journal.Phase)
        {
            case MigrationPhase.Committed when _overruled.IsHeld:
                await HoldAsync(null, _journal.Epoch);
                break;
            case MigrationPhase.Committed when IsResolved:
                _activation.AssumeRunning(); // it may have moved on since
                ShowResolved();
                break;
            case MigrationPhase.Committed:
                await RunAsync(new PhaseClock(_environment.Time));
                break;
            case MigrationPhase.Done:
                _activation.AssumeRunning();
                End();
                break;
            default:
                await GiveUpAsync(new MigrationFailure(_environment.HostName, "recovery", "ctmigrated was restarted before the commit", "migrate again"));
                break;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _disposed.CancelAsync();
        await _leaseTimer.DisposeAsync();
        await _packets.DisposeAsync();
        await _postCopy.DisposeAsync();
        if (_memory is not null)
        {
            await _memory.DisposeAsync();
        }

        _aborted.Dispose();
        _step.Dispose();
        _disposed.Dispose();
    }

    // The sender of a stream sees a broken connection and asks why afterwards.
    private async Task<StreamReply> RememberAsync(Func<Task<StreamReply>> receive)
    {
        try
        {
            return await receive();
        }
        catch (OperationCanceledException e) when (_aborted.IsCancellationRequested && _failure is { } reason)
        {
            throw new MigrationException(reason, e);
        }
        catch (MigrationException e)
        {
            _failure ??= e.Failure.Host.Length == 0 ? e.Failure with { Host = _environment.HostName } : e.Failure;
            throw;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            _failure ??= MigrationFailure.OfTransfer(_environment.HostName, e);
            throw;
        }
    }

    private async Task CreateAsync(CancellationToken cancellationToken)
    {
        await _volumes.MakeAsync(cancellationToken);
        _container = await _environment.Runtime(_manifest.Runtime).CreateAsync(_manifest, _journal.MigrationId, cancellationToken);
        // The id is only known now; a container that is made and not recorded is found by its migration id when the abort is redone.
        _journal.Append(MigrationPhase.Reserved, new JsonObject { [JournalKeys.ContainerId] = _container.Id });
        _volumes.Open(_container);
        _files.Count(_kept.Adopt(_container, LimitOf(_manifest.GetFileBytes())));
    }

    // The runtime may not have answered when the daemon came up: nothing is decided about a container that was not looked at.
    private async Task OpenContainerAsync(CancellationToken cancellationToken)
    {
        if (_container is null && _journal.Value(JournalKeys.ContainerId)?.GetValue<string>() is { } id)
        {
            _container = await _environment.Runtime(_manifest.Runtime).OpenAsync(_manifest, id, cancellationToken);
        }
    }

    /// <param name="clock">Measures the steps of the release.</param>
    /// <param name="restartPolicy">For a commit that was recorded without it: the gate obeyed the claim, and the daemon died before the record.</param>
    /// <param name="isHeld">It is known to be held, and not asked for.</param>
    private async Task RunAsync(PhaseClock clock, JsonObject? restartPolicy = null, bool isHeld = false)
    {
        await _postCopy.ResumeAsync(_container, CancellationToken.None);
        if (_container is null)
        {
            _failure = new MigrationFailure(_environment.HostName, "commit", "the committed container is gone from this host");
            return;
        }

        if (!_activation.IsRunning && _container.HasNeverRun)
        {
            await TakeBackAsync(new MigrationFailure(_environment.HostName, "commit", "the restored container died before it ran"));
            return;
        }

        try
        {
            await _activation.RunAsync(_container, clock, _journal.Value(JournalKeys.RestartPolicy) as JsonObject ?? restartPolicy, isHeld);
            _failure = null;
        }
        catch (MigrationException e)
        {
            _failure = e.Failure with { Host = _environment.HostName };
            LogFailed(_failure.ToString());
            Progress.Update(s => s with { Failure = _failure });
            if (!_activation.IsRunning && _container.HasNeverRun)
            {
                await TakeBackAsync(_failure);
            }
        }
    }

    // The source has not been told that it runs here, so it still has it, frozen, and hears of this in the answer to its GO.
    private async Task TakeBackAsync(MigrationFailure failure)
    {
        _failure = failure;
        LogAborted(failure.ToString());
        _journal.Append(MigrationPhase.Aborted, SourceHandover.FailureData(failure));
        await RemoveAsync();
    }

    private async Task GiveUpAsync(MigrationFailure failure)
    {
        if (_journal.Phase is MigrationPhase.Committed or MigrationPhase.Done || _journal.IsClosed)
        {
            return;
        }

        await OpenContainerAsync(CancellationToken.None);
        if (_journal.Phase == MigrationPhase.Aborted)
        {
            await RemoveAsync(); // an earlier attempt at it failed
            return;
        }

        if (_container is not null && !await _container.TryAbortAsync(failure.Cause))
        {
            // Lost the race for the decision: the gate has been opened.
            _journal.Append(MigrationPhase.Committed);
            await RunAsync(new PhaseClock(_environment.Time));
            return;
        }

        _failure ??= failure;
        LogAborted(failure.ToString());
        Progress.Update(s => s with { Failure = failure });
        try
        {
            _journal.Append(MigrationPhase.Aborted, SourceHandover.FailureData(failure));
        }
        catch (IOException) when (_journal.Phase < MigrationPhase.Prepared)
        {
            // The disk may be full of what has arrived. What was never prepared can never be committed, so it may go before the record.
            await RemoveContainerAsync();
            _journal.Append(MigrationPhase.Aborted, SourceHandover.FailureData(failure));
        }

        await RemoveAsync();
    }

    private async Task RemoveAsync()
    {
        await RemoveContainerAsync();
        End();
    }

    // Nothing is left to finish or to undo.
    private void End()
    {
        _journal.Close();
        _decided.TrySetResult();
        _leaseTimer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        var done = _journal.Phase == MigrationPhase.Done;
        Progress.Update(s => s with
        {
            Phase = _journal.Phase, Activity = "", Failure = done ? null : s.Failure, EndedAt = _environment.Time.GetUtcNow(), ExitCode = done ? ExitCodes.Done : ExitCodes.FailedSourceRunning,
            SourceState = done ? "removed" : s.SourceState, DestinationState = !done ? "absent" : _manifest.Paused ? "paused" : "running",
        });
    }

    private async Task RemoveContainerAsync()
    {
        await _aborted.CancelAsync();
        await _postCopy.DisposeAsync();
        await _packets.DisposeAsync();
        await _files.EndAsync();
        if (_container is not null)
        {
            _kept.Keep(_container);
            await _container.RemoveAsync(CancellationToken.None);
        }

        await _environment.Arrivals.RemoveAsync(_journal.Directory);
        await _environment.Runtime(_manifest.Runtime).RemoveTracesAsync(_manifest, _journal.MigrationId, CancellationToken.None);
        _volumes.Undo();
        CheckpointImages.Delete(_journal.Directory);
    }

    private async void LeaseEnded()
    {
        try
        {
            if (_activeRequests > 0)
            {
                _leaseTimer.Change(_lease, Timeout.InfiniteTimeSpan);
                return;
            }

            await AbortAsync(new AbortRequest(_journal.Epoch, $"nothing was heard from {_peer} for {_lease.TotalSeconds:0} s"));
        }
        catch (Exception e)
        {
            // Nobody awaits a timer: what it throws would end the daemon. The next request, or a restart, tries again.
            LogFailed(e.Message);
        }
    }

    private async Task<Use> EnterAsync(CancellationToken cancellationToken, bool evenIfAborted = false)
    {
        Interlocked.Increment(ref _activeRequests);
        try
        {
            await _step.WaitAsync(cancellationToken);
        }
        catch
        {
            Interlocked.Decrement(ref _activeRequests);
            throw;
        }

        var use = new Use(this, evenIfAborted ? null : CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _aborted.Token));
        if (!evenIfAborted && _aborted.IsCancellationRequested)
        {
            use.Dispose();
            throw new MigrationException(_failure ?? new MigrationFailure(_environment.HostName, "transfer", "this migration was aborted"));
        }

        return use;
    }

    private void Expect(MigrationPhase phase)
    {
        if (_journal.Phase != phase)
        {
            throw new MigrationException("protocol", $"this request is for phase {phase}, the migration is at {_journal.Phase}");
        }
    }

    private void Step(MigrationPhase phase, string activity, JsonObject? data)
    {
        _journal.Append(phase, data);
        LogPhase(phase, activity);
        Progress.Update(s => s with { Phase = phase, Activity = activity });
    }

    // The manifest's figures are from before the freeze; what grows since then is bounded by twice that and a little.
    private IArrivingMemory OpenMemory() => _memory ??= _environment.Arrivals.Open(_journal.Directory, _manifest.MemoryBytes, MemoryLimitOf(_manifest.MemoryBytes));

    private static long LimitOf(long announcedBytes) => 2 * announcedBytes + (1L << 30);

    // Processes that are forked while memory goes ahead bring another copy each.
    private static long MemoryLimitOf(long announcedBytes) => 4 * announcedBytes + (4L << 30);

    [LoggerMessage(LogLevel.Information, "{Phase}: {Activity}")]
    private partial void LogPhase(MigrationPhase phase, string activity);

    [LoggerMessage(LogLevel.Warning, "given up, nothing is kept here: {Failure}")]
    private partial void LogAborted(string failure);

    [LoggerMessage(LogLevel.Error, "{Failure}")]
    private partial void LogFailed(string failure);

    /// <summary>One request's turn; its end starts the lease anew.</summary>
    private sealed class Use(TargetMigration owner, CancellationTokenSource? limit) : IDisposable
    {
        public CancellationToken Token => limit?.Token ?? CancellationToken.None;

        public void Dispose()
        {
            limit?.Dispose();
            Interlocked.Decrement(ref owner._activeRequests);
            owner.Renew();
            owner._step.Release();
        }
    }
}
