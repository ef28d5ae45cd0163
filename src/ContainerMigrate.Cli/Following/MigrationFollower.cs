using System.Text.Json;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Daemon;
using ContainerMigrate.Cli.Reporting;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Cli.Following;

/// <summary>Shows one migration to its end, across restarts of the daemon.</summary>
/// <param name="leavesWhenPaused">A post-copy that is paused is not waited for.</param>
internal sealed class MigrationFollower(DaemonClient daemon, IMigrationView view, TimeProvider time, bool leavesWhenPaused)
{
    private static readonly TimeSpan ReconnectInterval = TimeSpan.FromMilliseconds(500);

    // A daemon that restarts reads its journal and is back within seconds; one that stays away is somebody's to look at.
    private static readonly TimeSpan ReconnectPatience = TimeSpan.FromSeconds(60);

    // The daemon goes on asking its peer for as long as it takes; a script that waits here needs an answer.
    private static readonly TimeSpan InDoubtPatience = TimeSpan.FromSeconds(30);

    private long? _inDoubtSince;
    private MigrationStatus? _last;

    /// <summary>Returns the last status: an ended migration, one that has been in doubt for too long, or a post-copy that cannot go on.</summary>
    /// <exception cref="DaemonException">The daemon does not know the migration, or stayed away.</exception>
    /// <exception cref="OperationCanceledException">Somebody stopped watching; the migration goes on.</exception>
    public async Task<MigrationStatus> FollowAsync(string id, CancellationToken cancellationToken)
    {
        long? awaySince = null;
        while (true)
        {
            try
            {
                if (await FollowStreamAsync(id, cancellationToken) is { } ended)
                {
                    return ended;
                }

                // The stream ended early or broke: the daemon stops, or has.
                var status = await daemon.GetMigrationAsync(id, cancellationToken);
                if (awaySince is not null)
                {
                    awaySince = null;
                    view.Note("ctmigrated answers again");
                }

                if (Show(status))
                {
                    return status;
                }
            }
            catch (DaemonException error) when (error.ExitCode == ExitCodes.DaemonUnreachable && _last is not null)
            {
                if (awaySince is null)
                {
                    awaySince = time.GetTimestamp();
                    view.Note("ctmigrated does not answer; no container depends on it; trying again");
                }
                else if (time.GetElapsedTime(awaySince.Value) > ReconnectPatience)
                {
                    throw;
                }
            }

            await Task.Delay(ReconnectInterval, time, cancellationToken);
        }
    }

    private async Task<MigrationStatus?> FollowStreamAsync(string id, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await foreach (var status in daemon.ReadEventsAsync(id, either.Token))
            {
                if (Show(status))
                {
                    return status;
                }

                patience.CancelAfter(status.Phase == MigrationPhase.InDoubt ? InDoubtPatience : Timeout.InfiniteTimeSpan);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return _last;
        }
        catch (Exception error) when (error is IOException or HttpRequestException or JsonException)
        {
            // Broken off in the middle: the status says how things stand.
        }

        return null;
    }

    /// <summary>True when there is nothing more to wait for.</summary>
    private bool Show(MigrationStatus status)
    {
        _last = status;
        view.Show(status);
        if (status.Phase != MigrationPhase.InDoubt)
        {
            _inDoubtSince = null;
            return MigrationVerdict.HasEnded(status) || (leavesWhenPaused && status.PostCopy is { Paused: not null } or { Lost: not null });
        }

        _inDoubtSince ??= time.GetTimestamp();
        return time.GetElapsedTime(_inDoubtSince.Value) > InDoubtPatience;
    }
}
