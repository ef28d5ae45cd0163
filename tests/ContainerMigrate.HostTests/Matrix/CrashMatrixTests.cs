using System.Diagnostics;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests.Matrix;

/// <summary>
/// Whatever happens at whichever step of a migration: in the end there is one running copy and no trace of another, each client has its
/// bytes once and in order, and nobody had to help. One container serves all cells of a row, from whichever host it is on.
/// </summary>
[Trait("suite", "matrix")]
public sealed class CrashMatrixTests(LabFixture lab) : HostTest(lab)
{
    // The lease and the gate end before a test's patience does; the freeze lasts as long as a fault takes to be made.
    private const string Limits = """{ "lease": "4s", "gate_timeout": "8s", "freeze_timeout": "6s", "deadline": "20s" }""";

    private static readonly TimeSpan ResolvesWithin = TimeSpan.FromSeconds(90);

    private readonly Dictionary<LabHost, ArmedDaemon> _daemons = [];
    private NumberServer? _server;
    private LabHost? _owner;

    public static TheoryData<string> Moments => [.. Moment.All.Select(m => m.Name)];

    /// <inheritdoc/>
    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        foreach (var host in new[] { H1, H2 })
        {
            _daemons[host] = await ArmedDaemon.StartAsync(host, Limits);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        foreach (var daemon in _daemons.Values)
        {
            await daemon.DisposeAsync();
        }

        await base.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Moments))]
    public async Task EndsWithOneCopy(string moment)
    {
        var row = Moment.All.Single(m => m.Name == moment);
        var wrong = new List<string>();
        foreach (var fault in MatrixShare.Of(row))
        {
            if (!fault.ExistsAt(row) && !(MatrixShare.IsWhole && (fault.IsKill || fault.IsHang)))
            {
                MatrixReport.Set(row, fault, $"n/a: {fault.Otherwise}");
                continue;
            }

            string outcome;
            var clock = Stopwatch.StartNew();
            try
            {
                outcome = await RunAsync(row, fault);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                var message = string.Join(' ', e.Message.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
                outcome = "**wrong**: " + message[..Math.Min(message.Length, 600)];
                wrong.Add($"{row.Name} x {fault.Name}: {e.Message}");
                await StartAfreshAsync();
            }

            MatrixReport.Set(row, fault, outcome);
            Measured.Write($"{row.Name} x {fault.Name}: {outcome} ({clock.Elapsed.TotalSeconds:0.0} s)");
        }

        wrong.ShouldBeEmpty(string.Join('\n', wrong));
    }

    private LabHost Other(LabHost host) => host == H1 ? H2 : H1;

    private async Task<string> RunAsync(Moment moment, Fault fault)
    {
        if (_server is null)
        {
            _server = await NumberServer.StartAsync(H1, dockerOptions: ["--restart", "unless-stopped"]);
            _owner = H1;
        }

        await using var cell = new Cell(moment, fault, _owner!, Other(_owner!));
        await using var clients = await NumberClient.ConnectAsync(Client, NumberServer.IPv4);
        await (fault.PrepareAsync?.Invoke(cell) ?? Task.CompletedTask);
        var holder = _daemons[moment.AtDestination ? cell.Destination : cell.Source];
        await holder.HoldAtAsync(moment.Point);
        await using var migration = await RunningMigration.StartAsync(cell.Source, _server.Name, cell.Destination);
        await holder.HeldAsync();
        var stopped = moment.InCriu ? await GoOnIntoCriuAsync(cell, holder) : [];

        // The kernel hangs up on a stopped process whose parent dies: before a kill or a stop of our own CRIU goes on, and is hit at its work all the same.
        var hit = fault.IsKill || fault.IsHang;
        await (hit ? ContinueAsync(stopped) : Task.CompletedTask);
        var impossible = await fault.BeginAsync(cell);
        await (hit ? Task.CompletedTask : ContinueAsync(stopped));
        await holder.ReleaseAsync();
        await (impossible is null && fault.RepairAsync is { } repair ? repair(cell) : Task.CompletedTask);

        await Eventually.BecomesTrueAsync("both journals are closed", () => IsClosedAsync(cell, migration.Id), ResolvesWithin);
        var end = (await EndOfAsync(migration)).Trim();
        (impossible is null || !fault.ExistsAt(moment)).ShouldBeTrue($"nothing to be killed: {impossible}");
        var place = await ShouldRunOnceAsync(cell, clients, impossible is null ? fault.Destroys?.Invoke(cell) : null);
        return impossible is null ? $"{place}; {end}" : $"n/a: {impossible} ({place})";
    }

    private static Task ContinueAsync(IEnumerable<int> processes) => HostProcesses.SignalAsync(processes.Where(p => File.Exists($"/proc/{p}/stat")), "CONT");

    // A dump is stopped in the middle. A restore is not: its processes trace each other, and take a stop for an error.
    private static async Task<IReadOnlyList<int>> GoOnIntoCriuAsync(Cell cell, ArmedDaemon holder)
    {
        var host = cell.Moment.AtDestination ? cell.Destination : cell.Source;
        await holder.ReleaseAsync();
        IReadOnlyList<int> criu = [];
        await Eventually.BecomesTrueAsync("CRIU is at work", async () =>
        {
            while ((criu = HostProcesses.Find(host, (program, _) => program == "criu")).Count == 0)
            {
                await Task.Yield();
            }

            return true;
        });
        await Task.Delay(TimeSpan.FromMilliseconds(20));
        if (cell.Moment.AtDestination)
        {
            return [];
        }

        await HostProcesses.SignalAsync(criu, "STOP");
        return criu;
    }

    private static async Task<bool> IsClosedAsync(Cell cell, string id)
    {
        foreach (var host in new[] { cell.Source, cell.Destination })
        {
            // A journal that never came to be has nothing to close.
            if ((await host.TryAsync("sh", "-c", $"[ ! -s {Cell.Journals}/{id}/journal ] || tail -n 1 {Cell.Journals}/{id}/journal | grep -q '\"closed\":true'")).ExitCode != 0)
            {
                return false;
            }
        }

        return true;
    }

    private static async Task<string> EndOfAsync(RunningMigration migration)
    {
        try
        {
            var outcome = await migration.EndAsync();
            return $"exit code {outcome.ExitCode} {outcome.ErrorLines.LastOrDefault(l => l.StartsWith("ctmigrate: ", StringComparison.Ordinal))}";
        }
        catch (Exception e) when (e is CommandFailedException or InvalidOperationException)
        {
            return "the command died with its host";
        }
    }

    private async Task<string> ShouldRunOnceAsync(Cell cell, NumberClient clients, LabHost? destroyed)
    {
        var states = new Dictionary<LabHost, string>();
        foreach (var host in new[] { cell.Source, cell.Destination })
        {
            states[host] = await host.StateAsync(_server!.Name);
        }

        var running = states.Where(s => s.Value == "running").Select(s => s.Key).ToList();
        var said = string.Join(", ", states.Select(s => $"{(s.Key == cell.Source ? "source" : "destination")} {s.Value}"));
        running.Count.ShouldBeLessThanOrEqualTo(1, said);
        var report = await clients.StopAsync();
        if (destroyed is not null && !report.IsComplete)
        {
            // The fault ended the program itself: there is no copy to save, and what matters is that there are not two.
            states.Values.Count(s => s != "absent").ShouldBe(1, said);
            await StartAfreshAsync();
            return $"ended with the fault ({said})";
        }

        running.Count.ShouldBe(1, said);
        if (!report.IsComplete && cell.Fault.IsLimit(cell.Moment))
        {
            await StartAfreshAsync();
            return $"runs on the {(running[0] == cell.Source ? "source" : "destination")}, its connections are lost (known limit)";
        }

        report.IsComplete.ShouldBeTrue($"{said}; {report}");
        var owner = running[0];
        if (cell.Moment.Owner == Owner.Destination && !cell.Fault.MayGiveBack)
        {
            owner.ShouldBe(cell.Destination, said);
        }

        states[Other(owner)].ShouldBe("absent", said);
        await cell.DisposeAsync();
        await ShouldBeAsBeforeAsync(Other(owner), TimeSpan.FromSeconds(15));
        _owner = owner;
        return owner == cell.Source ? "runs on the source" : "runs on the destination";
    }

    // Nothing of what went wrong is to be seen in the next cell.
    private async Task StartAfreshAsync()
    {
        foreach (var host in new[] { H1, H2 })
        {
            await LabFixture.LabAsync("link", host.Name, "up");
            await host.DaemonAsync("kill");
        }

        foreach (var host in new[] { H1, H2 })
        {
            await LabFixture.LabAsync("reboot", host.Name);
            await host.RemoveContainersAsync();
            await host.ShellAsync("cd /var/lib/ctmigrate; rm -rf migrations/* restores/* refused/*");
            await host.DaemonAsync("start");
        }

        _server = null;
    }
}
