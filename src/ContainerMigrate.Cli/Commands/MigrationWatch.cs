using ContainerMigrate.Api;
using ContainerMigrate.Cli.Daemon;
using ContainerMigrate.Cli.Following;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Commands;

/// <summary>Follows one migration on the terminal, a pipe or as JSON, with Ctrl-C, and ends with its exit code.</summary>
internal sealed class MigrationWatch(CommandContext context, DaemonClient daemon, bool json)
{
    /// <summary>The shell's code for "ended by Ctrl-C" (128 + SIGINT): nothing is said about the migration, which goes on.</summary>
    private const int Detached = 130;

    /// <summary>Starts a migration; the first Ctrl-C cancels it, the second leaves it alone.</summary>
    public Task<int> StartAsync(MigrateRequest request, CancellationToken cancellationToken) => StartAsync(token => daemon.MigrateAsync(request, token), request.Skip, cancellationToken);

    /// <inheritdoc cref="StartAsync(MigrateRequest, CancellationToken)"/>
    public async Task<int> StartAsync(Func<CancellationToken, Task<MigrationAccepted>> start, IReadOnlyList<string> skip, CancellationToken cancellationToken)
    {
        using var interrupts = context.ListenForInterrupts();
        var accepted = await start(cancellationToken);
        return await FollowAsync(accepted.Id, interrupts, cancels: true, skip, cancellationToken);
    }

    /// <summary>Joins a migration that somebody else started; Ctrl-C only stops watching.</summary>
    public async Task<int> JoinAsync(string id, CancellationToken cancellationToken)
    {
        using var interrupts = context.ListenForInterrupts();
        return await FollowAsync(id, interrupts, cancels: false, [], cancellationToken);
    }

    private async Task<int> FollowAsync(string id, Interrupts interrupts, bool cancels, IReadOnlyList<string> skip, CancellationToken cancellationToken)
    {
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        MigrationStatus status;
        MigrationVerdict verdict;
        await using (var view = CreateView())
        {
            var interruptions = ObeyInterruptsAsync(id, interrupts, cancels, view, leave);
            try
            {
                status = await new MigrationFollower(daemon, view, context.Time, leavesWhenPaused: cancels).FollowAsync(id, leave.Token);
            }
            catch (OperationCanceledException) when (interrupts.First.IsCompleted)
            {
                await view.DisposeAsync();
                context.Streams.Error.WriteLine($"ctmigrate: no longer watching; migration {id} goes on");
                context.Streams.Error.WriteLine($"  next: ctmigrate watch {id}");
                return Detached;
            }
            finally
            {
                await leave.CancelAsync();
                await interruptions;
            }

            verdict = MigrationVerdict.Of(status);
            await view.FinishAsync(status, verdict);
        }

        if (verdict.ExitCode != ExitCodes.Done)
        {
            ErrorText.Write(context.Streams.Error, status, verdict, skip);
        }

        return verdict.ExitCode;
    }

    private IMigrationView CreateView() =>
        json ? new JsonView(context.Streams, context.Time)
        : context.Streams.OutputIsTerminal ? new LiveView(context.Streams, context.Time)
        : new LineView(context.Streams, context.Time);

    /// <summary>Runs beside the following; ends when <paramref name="leave"/> is cancelled, which the last Ctrl-C does.</summary>
    private async Task ObeyInterruptsAsync(string id, Interrupts interrupts, bool cancels, IMigrationView view, CancellationTokenSource leave)
    {
        try
        {
            await interrupts.First.WaitAsync(leave.Token);
            if (cancels)
            {
                view.Note("cancelling; Ctrl-C again leaves it to the daemon");
                try
                {
                    await daemon.CancelMigrationAsync(id, leave.Token);
                }
                catch (DaemonException error)
                {
                    // Too late, most likely: how it ends is told in a moment.
                    view.Note(error.Message);
                }

                await interrupts.Second.WaitAsync(leave.Token);
            }

            await leave.CancelAsync();
        }
        catch (OperationCanceledException)
        {
            // The migration ended first.
        }
    }
}
