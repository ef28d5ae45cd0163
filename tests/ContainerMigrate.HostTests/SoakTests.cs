using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>
/// Containers of Docker and of runc moved back and forth while daemons, CRIU, runc and the hook at the gate are killed, links cut, disks filled and migrations cancelled at
/// random times: none is lost, none doubled, none stuck, no client misses anything, and nothing is left. CTM_SEED repeats a run; artifacts/soak.log tells of each migration.
/// </summary>
public sealed class SoakTests(LabFixture lab) : HostTest(lab)
{
    private const string Configuration = "/etc/ctmigrate/ctmigrated.json";

    [Fact]
    [Trait("suite", "slice")]
    public Task TwentyMigrationsWithFaults() => RunAsync(20, Soak.Seed(4711));

    [Fact]
    [Trait("suite", "soak")]
    public Task HundredsOfMigrationsWithFaults() => RunAsync(Endurance.Moves(300), Soak.Seed());

    private async Task RunAsync(int moves, int seed)
    {
        var path = LabFixture.Artifact("soak.log");
        await using var log = new StreamWriter(path);
        await log.WriteLineAsync($"seed {seed}, {moves} migrations");
        Measured.Write($"CTM_SEED={seed} repeats this run of {moves} migrations; each is in {path}");
        await PrepareAsync(H1);
        await PrepareAsync(H2);
        var containers = new List<SoakContainer>();
        foreach (var (runtime, name, number) in ((string, string, int)[])[("docker", "whale", 50), ("runc", "bare", 51)]) // in this order: see Soak.MoveAsync
        {
            var server = await NumberServer.StartAsync(H1, runtime, memoryMebibytes: 8, dockerOptions: ["--restart", "unless-stopped"], name, number);
            containers.Add(new SoakContainer(server, await NumberClients.ConnectAsync(Client, server.Addresses), H1, runtime == "runc" ? 3 : 1));
        }

        var soak = await Soak.StartAsync([H1, H2], containers, log, seed);
        var problems = new List<string>();
        for (var move = 1; move <= moves && problems.Count == 0; move++)
        {
            if (await soak.MoveAsync(move) is { } problem)
            {
                problems.Add($"migration {move}: {problem}");
            }
        }

        var summary = string.Join(", ", soak.Outcomes.Select(o => $"{o.Value} {o.Key}"));
        await log.WriteLineAsync(summary);
        Measured.Write(summary);
        problems.ShouldBeEmpty($"CTM_SEED={seed}; {path}");
        foreach (var container in containers)
        {
            await container.Clients.ShouldBeCompleteAsync();
            await container.Clients.DisposeAsync();
        }

        foreach (var host in (LabHost[])[H1, H2])
        {
            // This file system is gone before the rest of the host is compared with what it was.
            var left = "?";
            await Eventually.TryAsync(async () => (left = await host.RunAsync("find", FullDisk.Migrations, "-mindepth", "2", "-not", "-name", "journal", "-not", "-path", "*/work*")) == "", TimeSpan.FromSeconds(15));
            left.ShouldBeEmpty(host.Name);
        }
    }

    // What a destination that could not be told keeps, it keeps for a lease; and what fills its disk must not fill this machine's.
    private async Task PrepareAsync(LabHost host)
    {
        await host.DaemonAsync("stop");
        AtTheEnd(() => host.DaemonAsync("start"));
        await MountAsync(host, "-t tmpfs -o size=300m tmpfs", FullDisk.Migrations);
        AtTheEnd(async () =>
        {
            await host.RemoveContainersAsync();
            await host.DaemonAsync("stop");
            await host.RunAsync("mv", Configuration + ".before", Configuration);
        });
        await host.ShellAsync($$"""cp {{Configuration}} {{Configuration}}.before; echo '{ "lease": "5s" }' >{{Configuration}}""");
        await host.DaemonAsync("start");
    }
}
