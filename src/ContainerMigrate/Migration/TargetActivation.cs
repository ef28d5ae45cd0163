using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Journal;
using ContainerMigrate.Protocol;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>What the destination does once it is committed: announces the addresses, lets the tasks run, delivers what was kept, gives the restart policy. May be repeated.</summary>
internal sealed partial class TargetActivation(
    MigrationEnvironment environment, IMigrationJournal journal, ContainerManifest manifest, ArrivingPackets packets, PostCopyArrival postCopy, MigrationProgress progress, ILogger logger)
{
    // The tree is rebuilt by then, and the hook at its gate waits for no more than half of this.
    private static readonly TimeSpan ReleaseTimeout = TimeSpan.FromMinutes(2);

    /// <summary>The runtime has said that the container runs, or has run.</summary>
    public bool IsRunning { get; private set; }

    /// <summary>Nothing of it is left to do.</summary>
    public bool IsFinished { get; private set; }

    /// <summary>Milliseconds of each step, in order; null before the end.</summary>
    public IReadOnlyDictionary<string, double>? Parts { get; private set; }

    /// <summary>For a migration that an earlier life of the daemon has brought to its end.</summary>
    public void AssumeRunning() => IsRunning = true;

    /// <param name="container">Committed to this host.</param>
    /// <param name="clock">Measures the steps.</param>
    /// <param name="restartPolicy">The container's; null when it is not known yet.</param>
    /// <param name="isHeld">It is known to be held, and not asked for.</param>
    /// <exception cref="MigrationException">A step failed; it can be tried again.</exception>
    public async Task RunAsync(ITargetContainer container, PhaseClock clock, JsonObject? restartPolicy, bool isHeld)
    {
        // Raw frames pass by the fence, so switches and neighbours learn the new port while CRIU still resumes the tasks.
        var announced = AnnounceAsync(container);
        var state = isHeld ? TargetContainerState.Held : await container.GetStateAsync(CancellationToken.None);
        if (state == TargetContainerState.Stopped)
        {
            // It has ended here, by itself or with the host: there is nothing to release, and no other host may have it.
            LogEnded(manifest.Name);
        }
        else if (state != TargetContainerState.Running)
        {
            var released = ReleaseAsync(container);
            packets.DeliverAfter(Task.WhenAny(container.FenceOpened, released));
            await Task.WhenAny(container.Resumed, released);
            clock.Mark("resume");
            await released;
        }

        IsRunning = true;
        progress.Update(s => s with { Phase = MigrationPhase.Committed, Activity = "running here", DestinationState = manifest.Paused ? "paused" : "running" });
        LogRunning(manifest.Name);
        await postCopy.RunAsync(container);
        await announced;
        if (manifest.Offline)
        {
            await AnnounceAsync(container); // before its start it had no network
        }

        if (restartPolicy is not null)
        {
            await container.FinishAsync((JsonObject)restartPolicy.DeepClone(), CancellationToken.None);
            IsFinished = true;
        }

        CheckpointImages.Delete(journal.Directory);
        clock.Mark(PeerState.AfterThePause);
        Parts = clock.Parts.ToDictionary();
    }

    private async Task ReleaseAsync(ITargetContainer container)
    {
        using var limit = new CancellationTokenSource(ReleaseTimeout, environment.Time);
        try
        {
            await container.ReleaseAsync(limit.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            throw new MigrationException("commit", $"the container does not run {ReleaseTimeout.TotalSeconds:0} s after the commit");
        }
    }

    private async Task AnnounceAsync(ITargetContainer container)
    {
        try
        {
            if (container.NetworkNamespacePath is { } path)
            {
                await environment.Announcer.AnnounceAsync(path, CancellationToken.None);
            }
        }
        catch (MigrationException e)
        {
            LogNotAnnounced(e.Failure.Cause);
        }
    }

    [LoggerMessage(LogLevel.Warning, "{Container} belongs to this host and has ended; its restart policy decides whether it is started")]
    private partial void LogEnded(string container);

    [LoggerMessage(LogLevel.Information, "{Container} runs here")]
    private partial void LogRunning(string container);

    [LoggerMessage(LogLevel.Warning, "addresses were not announced: {Cause}")]
    private partial void LogNotAnnounced(string cause);
}
