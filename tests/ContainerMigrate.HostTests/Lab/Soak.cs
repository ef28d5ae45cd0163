using System.Diagnostics;
using System.Globalization;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>
/// Containers that are moved back and forth with faults at random times. All that is random comes from one seed, so that a run can be repeated; what
/// the machine makes of the times is its own affair.
/// </summary>
public sealed class Soak
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan LooksFor = TimeSpan.FromSeconds(15);

    private readonly IReadOnlyList<SoakContainer> _containers;
    private readonly Dictionary<LabHost, HostKills> _processes;
    private readonly StreamWriter _log;
    private readonly Random _random;
    private readonly Stopwatch _clock = Stopwatch.StartNew();

    private Soak(IReadOnlyList<SoakContainer> containers, Dictionary<LabHost, HostKills> processes, StreamWriter log, int seed)
    {
        _containers = containers;
        _processes = processes;
        _log = log;
        _random = new Random(seed);
    }

    /// <summary>Migrations by their end: done, failed, ...</summary>
    public SortedDictionary<string, int> Outcomes { get; } = [];

    /// <summary>A seed of CTM_SEED, or one that nobody has chosen.</summary>
    public static int Seed(int? usual = null) =>
        Environment.GetEnvironmentVariable("CTM_SEED") is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : usual ?? Random.Shared.Next(1, 1_000_000);

    public static async Task<Soak> StartAsync(IReadOnlyList<LabHost> hosts, IReadOnlyList<SoakContainer> containers, StreamWriter log, int seed)
    {
        ArgumentNullException.ThrowIfNull(hosts);
        var processes = new Dictionary<LabHost, HostKills>();
        foreach (var host in hosts)
        {
            processes[host] = await HostKills.OfAsync(host);
        }

        return new Soak(containers, processes, log, seed);
    }

    /// <summary>One migration with one fault; returns when both hosts have nothing left to do, and says what is wrong then.</summary>
    /// <returns>Null when one host runs the container and the other has nothing of it.</returns>
    public async Task<string?> MoveAsync(int number)
    {
        // All of it before anything happens: the next numbers must not depend on how this one goes.
        var container = _containers[_random.Next(4) == 0 ? 1 : 0];
        var fault = (SoakFault)_random.Next(Enum.GetValues<SoakFault>().Length);
        var delay = TimeSpan.FromMilliseconds(_random.Next(2500) * container.Slowness);
        var length = TimeSpan.FromMilliseconds(_random.Next(3000));
        var (source, destination) = (container.Host, _processes.Keys.Single(h => h != container.Host));

        var (exit, error, what) = await MigrateAsync(container, source, destination, fault, delay, length);
        var settled = await Eventually.TryAsync(async () => await IsSettledAsync(container), Patience);
        var problem = settled ? null : $"not settled within {Patience.TotalSeconds:0} s: {await DescribeAsync(container)}";
        foreach (var host in _processes.Keys)
        {
            if (await container.Server.StateOnAsync(host) == "running")
            {
                container.Host = host;
            }
        }

        var moved = container.Host != source;
        if (problem is null && exit == 0 != moved && exit is 0 or 20 or 21)
        {
            problem = $"exit code {exit}, but {container.Server.Name} is on {container.Host.Name}";
        }

        if (problem is null && exit == 10 && (error.Contains("exists already", StringComparison.Ordinal) || fault is not (SoakFault.KillDestinationDaemon or SoakFault.CutLink or SoakFault.FillDestinationDisk)))
        {
            problem = "refused, although nothing was in its way before";
        }

        if (problem is null && container.Clients.Complaints is { Length: > 0 } complaints)
        {
            problem = complaints;
        }

        var outcome = exit switch { 0 => "done", 3 => "daemon gone", 10 => "refused", 20 => "failed", 21 => "cancelled", 30 => "in doubt", _ => $"exit code {exit}" };
        Outcomes[outcome] = Outcomes.GetValueOrDefault(outcome) + 1;
        await _log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
            $"{_clock.Elapsed.TotalSeconds,7:0.0} s  {number,3}  {container.Server.Name,-6} {source.Name}->{destination.Name}  {fault} {what}: {outcome}, runs on {container.Host.Name}{(error.Length > 0 ? $" [{error}]" : "")}{(problem is null ? "" : $"  PROBLEM {problem}")}"));
        await _log.FlushAsync();
        return problem;
    }

    private async Task<(int ExitCode, string Error, string What)> MigrateAsync(SoakContainer container, LabHost source, LabHost destination, SoakFault fault, TimeSpan delay, TimeSpan length)
    {
        await using var process = source.Start(["ctmigrate", "migrate", container.Server.Operand, destination.Name, "--json", "--deadline", "30s"]);
        process.Input.Close();
        string what;
        try
        {
            what = await HappenAsync(fault, process, source, destination, delay, length);
        }
        finally
        {
            await CutLink.EndAsync(destination);
            await FullDisk.EndAsync(destination);
            await source.DaemonAsync("start");
            await destination.DaemonAsync("start");
        }

        var ended = process.WaitAsync(TimeSpan.FromSeconds(150));
        var isDecided = await DecideByHandAsync(container, source, destination, ended);
        var result = await ended;
        return (result.ExitCode, string.Join(" | ", result.ErrorLines), isDecided ? what + ", decided by hand" : what);
    }

    private async Task<string> HappenAsync(SoakFault fault, LabProcess migration, LabHost source, LabHost destination, TimeSpan delay, TimeSpan length)
    {
        var at = string.Create(CultureInfo.InvariantCulture, $"at {delay.TotalMilliseconds} ms");
        var there = _processes[destination];
        switch (fault)
        {
            case SoakFault.KillSourceDaemon or SoakFault.KillDestinationDaemon:
                var host = fault == SoakFault.KillSourceDaemon ? source : destination;
                using (var daemon = await host.DaemonProcessAsync())
                {
                    await Task.Delay(delay);
                    daemon.Kill();
                    await daemon.WaitForExitAsync();
                }

                await Task.Delay(length);
                return $"{at}, down for {length.TotalMilliseconds} ms";
            case SoakFault.KillRestoringCriu:
                return $"of {await there.KillFirstAsync((name, arguments) => name == "criu" && !arguments.Contains("check", StringComparison.Ordinal) && !arguments.Contains("--version", StringComparison.Ordinal), migration, LooksFor) ?? "nobody"}";
            case SoakFault.KillRestoringRunc:
                return $"of {await there.KillFirstAsync((name, arguments) => name == "runc" && arguments.Contains("restore", StringComparison.Ordinal), migration, LooksFor) ?? "nobody"}";
            case SoakFault.KillGateHook:
                return $"of {await there.KillFirstAsync((name, _) => name.StartsWith("ctmigrate-criu-", StringComparison.Ordinal), migration, LooksFor) ?? "nobody"}";
            case SoakFault.CutLink:
                await Task.Delay(delay);
                await CutLink.BeginAsync(destination);
                await Task.Delay(2 * length);
                return $"{at} for {2 * length.TotalMilliseconds} ms";
            case SoakFault.FillDestinationDisk:
                await Task.Delay(delay / 2);
                await FullDisk.BeginAsync(destination);
                await Task.Delay(length);
                return $"at {delay.TotalMilliseconds / 2} ms for {length.TotalMilliseconds} ms";
            case SoakFault.Cancel:
                await Task.Delay(delay);
                var id = migration.OutputSoFar.Split('\n').Select(l => RunningMigration.Field(l, "id")).FirstOrDefault(i => i != "") ?? "";
                return id.Length == 0 ? $"{at}: not begun" : $"{at}: {(await source.TryAsync("ctmigrate", "cancel", id)).ExitCode}";
            default:
                return "";
        }
    }

    // What is killed between the commit and the container's first instruction leaves a destination that owns what it does not have, which only an operator may decide.
    private static async Task<bool> DecideByHandAsync(SoakContainer container, LabHost source, LabHost destination, Task migration)
    {
        var id = "";
        while (id.Length == 0)
        {
            if (await Task.WhenAny(migration, Task.Delay(TimeSpan.FromSeconds(4))) == migration)
            {
                return false;
            }

            // Said of a container that is being started, too, but not for seconds.
            var line = (await source.TryAsync("ctmigrate", "status")).Output.Split('\n')
                .FirstOrDefault(l => l.Contains("is at Committed and does not run the container", StringComparison.Ordinal) && l.Contains(container.Server.Name, StringComparison.Ordinal));
            id = line?.Split(' ')[0] ?? "";
        }

        await source.RunAsync("ctmigrate", "resolve", id, "--winner", "source", "--yes");
        await Eventually.BecomesTrueAsync($"{destination.Name} holds its copy", async () => (await destination.TryAsync("ctmigrate", "status", id)).Output.Contains("CONFLICT", StringComparison.Ordinal));
        await container.Server.RemoveAsync(destination);
        return true;
    }

    // Nothing is under way on either host, and the container is on one.
    private async Task<bool> IsSettledAsync(SoakContainer container)
    {
        foreach (var host in _processes.Keys)
        {
            var status = await host.TryAsync("ctmigrate", "status");
            if (status.ExitCode != 0 || !status.Output.StartsWith("no migration is under way", StringComparison.Ordinal))
            {
                return false;
            }
        }

        var states = await StatesAsync(container);
        return states.Order().SequenceEqual(["absent", "running"]);
    }

    private async Task<string> DescribeAsync(SoakContainer container)
    {
        var states = await StatesAsync(container);
        var described = new List<string> { $"{container.Server.Name} is {string.Join(" and ", states)}" };
        foreach (var host in _processes.Keys)
        {
            described.Add($"{host.Name}: {(await host.TryAsync("ctmigrate", "status")).Output.ReplaceLineEndings(" | ")}");
        }

        return string.Join("; ", described);
    }

    private async Task<IReadOnlyList<string>> StatesAsync(SoakContainer container)
    {
        var states = new List<string>();
        foreach (var host in _processes.Keys)
        {
            states.Add(await container.Server.StateOnAsync(host));
        }

        return states;
    }
}

/// <summary>A container of the soak test with the clients that talk to it all the time.</summary>
/// <param name="slowness">How many times as long as that of the first its migration takes: a bundle's files are all sent.</param>
public sealed class SoakContainer(NumberServer server, NumberClients clients, LabHost host, int slowness)
{
    public int Slowness => slowness;

    public NumberServer Server => server;

    public NumberClients Clients => clients;

    /// <summary>Where it runs.</summary>
    public LabHost Host { get; set; } = host;
}
