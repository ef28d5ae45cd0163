using System.Collections.Concurrent;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Commands;
using ContainerMigrate.Cli.Daemon;
using ContainerMigrate.Cli.Following;
using ContainerMigrate.Cli.Reporting;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Cli.Evacuation;

/// <summary>How it ended for one container.</summary>
/// <param name="Result"><c>moved</c>, <c>saved</c>, <c>stays</c>, <c>left</c> (as its label says), <c>gone</c> (from the host it went to), <c>failed</c> or <c>not tried</c>.</param>
/// <param name="Detail">The pause, or why not.</param>
internal sealed record MoveOutcome(string Container, string Runtime, string Host, string Result, string Detail, string MigrationId = "")
{
    /// <summary>Nothing is left to do about it.</summary>
    public bool IsSettled => Result is "moved" or "saved" or "left" or EvacuatedContainer.Gone;
}

/// <summary>Carries a plan out, some at a time. A container that one host refuses or fails to take goes to the next that can; nothing that goes wrong with one keeps the others.</summary>
internal sealed class EvacuationRun(CommandContext context, DaemonClient daemon, bool json)
{
    private static readonly TimeSpan LeastTime = TimeSpan.FromSeconds(2);

    private readonly Lock _output = new();

    /// <summary>Checks every container with every host that may take it.</summary>
    public async Task<IReadOnlyList<PlannedMove>> PlanAsync(IReadOnlyList<string> wanted, CancellationToken cancellationToken)
    {
        var containers = (await daemon.ListContainersAsync(cancellationToken)).Containers;
        // Without a host what is saved goes all the same.
        var hosts = await FindHostsAsync(wanted, containers.Any(c => c.Policy == EvacuationLabels.Save), cancellationToken);
        var reports = new ConcurrentDictionary<string, IReadOnlyList<CheckReport>>();
        var troubles = new ConcurrentDictionary<string, string>();
        // A check looks for the container's address for a second; nearly all of it is waiting.
        var options = new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(containers.Where(c => c.Policy is EvacuationLabels.Live or EvacuationLabels.Offline), options, async (container, token) =>
        {
            var seen = new List<CheckReport>();
            foreach (var host in hosts.Where(h => container.Target is null || h == container.Target))
            {
                try
                {
                    seen.Add(await daemon.CheckAsync(new CheckRequest { Container = $"{container.Runtime}:{container.Id}", Host = host, Mode = ModeOf(container) }, token));
                }
                catch (DaemonException error)
                {
                    troubles[container.Id] = error.Message;
                }
            }

            if (container.Target is { } target && !hosts.Contains(target))
            {
                troubles[container.Id] = $"its label {EvacuationLabels.Target} names {target}, which is not among the hosts that it may go to";
            }

            reports[container.Id] = seen;
        });
        return EvacuationPlan.Make(containers, reports, troubles);
    }

    /// <summary>Moves what the plan moves. The first Ctrl-C lets what is under way end and starts nothing more.</summary>
    /// <param name="within">After that time nothing more is begun, and what has not been handed over is given up; null: no limit.</param>
    public async Task<IReadOnlyList<MoveOutcome>> MoveAsync(IReadOnlyList<PlannedMove> plan, int parallel, TimeSpan? within, CancellationToken cancellationToken)
    {
        var began = context.Time.GetTimestamp();
        using var interrupts = context.ListenForInterrupts();
        var outcomes = new MoveOutcome[plan.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = cancellationToken };
        var announced = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, plan.Count), options, async (i, token) =>
        {
            if (interrupts.First.IsCompleted && Interlocked.Exchange(ref announced, 1) == 0)
            {
                Say("stopped by Ctrl-C: what is under way ends, nothing more is begun");
            }

            var left = within - context.Time.GetElapsedTime(began);
            var reason = interrupts.First.IsCompleted ? "stopped by Ctrl-C" : left < LeastTime ? "the time was over" : null;
            outcomes[i] = reason is not null && plan[i].Goes
                ? new MoveOutcome(plan[i].Container.Name, plan[i].Container.Runtime, "", "not tried", reason)
                : await MoveAsync(plan[i], () => within - context.Time.GetElapsedTime(began), token);
        });
        return outcomes;
    }

    /// <summary>Brings back what an evacuation has moved.</summary>
    public async Task<IReadOnlyList<MoveOutcome>> ReturnAsync(IReadOnlyList<EvacuatedContainer> containers, int parallel, CancellationToken cancellationToken)
    {
        var outcomes = new MoveOutcome[containers.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(Enumerable.Range(0, containers.Count), options, async (i, token) =>
        {
            var container = containers[i];
            Say($"{container.Name} <- {container.Host}  begins");
            outcomes[i] = await AttemptAsync(container.Name, container.Runtime, container.Host, () => daemon.ReturnAsync(container.MigrationId, token));
            Say($"{container.Name} <- {container.Host}  {outcomes[i].Result}: {outcomes[i].Detail}");
        });
        return outcomes;
    }

    private static string ModeOf(ContainerSummary container) => container.Policy == EvacuationLabels.Offline ? MigrationModes.Offline : MigrationModes.Auto;

    private Task<MigrationStatus> FollowAsync(MigrationAccepted accepted, CancellationToken cancellationToken) =>
        new MigrationFollower(daemon, new SilentView(), context.Time, leavesWhenPaused: true).FollowAsync(accepted.Id, cancellationToken);

    private async Task<MoveOutcome> SaveAsync(ContainerSummary container, double? deadline, CancellationToken cancellationToken)
    {
        Say($"{container.Name} -> a file  begins");
        var outcome = await AttemptAsync(container.Name, container.Runtime, "", async () =>
            await FollowAsync(await daemon.SaveAsync(new SaveRequest { Container = $"{container.Runtime}:{container.Name}", Evacuation = true, DeadlineSeconds = deadline }, cancellationToken), cancellationToken));
        Say($"{container.Name} -> {(outcome.Host.Length > 0 ? outcome.Host : "a file")}  {outcome.Result}: {outcome.Detail}");
        return outcome;
    }

    // Not the time to begin in the last second.
    private static double? DeadlineOf(TimeSpan? left) => left is { } time ? Math.Max(LeastTime.TotalSeconds, time.TotalSeconds) : null;

    private async Task<MoveOutcome> MoveAsync(PlannedMove move, Func<TimeSpan?> left, CancellationToken cancellationToken)
    {
        var container = move.Container;
        if (move.Save)
        {
            return await SaveAsync(container, DeadlineOf(left()), cancellationToken);
        }

        if (move.Hosts.Count == 0)
        {
            return new MoveOutcome(container.Name, container.Runtime, "", move.Leave ? "left" : "stays", move.Reason);
        }

        var outcome = new MoveOutcome(container.Name, container.Runtime, "", "stays", "");
        foreach (var host in move.Hosts)
        {
            Say($"{container.Name} -> {host}  begins");
            outcome = await AttemptAsync(container.Name, container.Runtime, host, async () =>
            {
                var request = new MigrateRequest { Container = $"{container.Runtime}:{container.Id}", Host = host, Evacuation = true, Mode = ModeOf(container), DeadlineSeconds = DeadlineOf(left()) };
                return await FollowAsync(await daemon.MigrateAsync(request, cancellationToken), cancellationToken);
            });
            Say($"{container.Name} -> {host}  {outcome.Result}: {outcome.Detail}");
            if (outcome.Result != "stays")
            {
                break; // moved, or in a state that another attempt must not touch
            }
        }

        return outcome;
    }

    private static async Task<MoveOutcome> AttemptAsync(string container, string runtime, string host, Func<Task<MigrationStatus>> move)
    {
        try
        {
            var status = await move();
            var verdict = MigrationVerdict.Of(status);
            return verdict is { ExitCode: ExitCodes.Done, DestinationState: "saved" }
                ? new MoveOutcome(container, runtime, status.Destination, "saved", "", status.Id)
                : verdict.ExitCode == ExitCodes.Done
                ? new MoveOutcome(container, runtime, host, "moved", status.Result is { } result ? $"pause {Units.Duration.Format(TimeSpan.FromMilliseconds(result.PauseMs))}" : "", status.Id)
                : new MoveOutcome(container, runtime, host, verdict.SourceState is "running" or "paused" ? "stays" : "failed", $"{status.Failure?.ToString() ?? verdict.Describe(status)} (exit code {verdict.ExitCode})", status.Id);
        }
        catch (DaemonException error) when (error.Failure?.Stage == EvacuatedContainer.Gone)
        {
            return new MoveOutcome(container, runtime, host, EvacuatedContainer.Gone, error.Failure.Cause);
        }
        catch (DaemonException error)
        {
            return new MoveOutcome(container, runtime, host, error.ExitCode == ExitCodes.DaemonUnreachable ? "failed" : "stays", error.Message);
        }
    }

    private async Task<IReadOnlyList<string>> FindHostsAsync(IReadOnlyList<string> wanted, bool orNone, CancellationToken cancellationToken)
    {
        var hosts = (await daemon.GetHostsAsync(cancellationToken)).Hosts;
        foreach (var name in wanted)
        {
            var host = hosts.FirstOrDefault(h => h.Name == name) ?? throw new DaemonException($"{name} is not paired with this host", ExitCodes.Refused, nextStep: "`ctmigrate hosts` lists the paired ones");
            if (!host.Reachable)
            {
                throw new DaemonException($"{name} does not answer: {host.Detail}", ExitCodes.Refused, nextStep: $"check that ctmigrated runs there, or leave {name} out");
            }
        }

        var able = hosts.Where(h => h.Reachable && (wanted.Count == 0 || wanted.Contains(h.Name))).Select(h => h.Name).ToList();
        return able.Count > 0 || orNone ? able : throw new DaemonException("no paired host answers", ExitCodes.Refused, nextStep: "`ctmigrate hosts` shows them");
    }

    private void Say(string line)
    {
        if (!json)
        {
            lock (_output)
            {
                context.Streams.Output.WriteLine(OneLine.Of(line));
            }
        }
    }

    /// <summary>Several at once are told of by a line each at their beginning and end.</summary>
    private sealed class SilentView : IMigrationView
    {
        public void Show(MigrationStatus status)
        {
        }

        public void Note(string text)
        {
        }

        public ValueTask FinishAsync(MigrationStatus status, MigrationVerdict verdict) => ValueTask.CompletedTask;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
