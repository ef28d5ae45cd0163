using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>
/// Whatever goes wrong before the destination has taken over: the container runs on the source as the one it was, its clients miss
/// nothing, nothing is left on the destination, and the next migration works.
/// </summary>
public sealed class FailureBeforeTheHandoverTests(LabFixture lab) : HostTest(lab)
{
    private const string Journals = "/var/lib/ctmigrate/migrations";

    [Theory]
    [InlineData(MigrationStage.PreCopy, "stop")]
    [InlineData(MigrationStage.PreCopy, "kill")]
    [InlineData(MigrationStage.Switchover, "stop")]
    [InlineData(MigrationStage.Switchover, "kill")]
    public async Task DestinationDaemonEnds(MigrationStage stage, string how)
    {
        await using var service = await StartAsync();
        AtTheEnd(() => H2.DaemonAsync("start"));
        await using (var migration = await HoldAtAsync(stage, service))
        {
            await H2.DaemonAsync(how);
            var outcome = await migration.EndAsync();
            if (how == "stop")
            {
                outcome.ShouldHaveFailed(H2, "transfer", "ctmigrated was stopped");
            }
            else
            {
                outcome.ShouldHaveFailed(H2, NameOf(stage), "h2 does not answer");
            }
        }

        await H2.DaemonAsync("start");
        await ShouldGoOnAsync(service);
    }

    [Theory]
    [InlineData(MigrationStage.PreCopy)]
    [InlineData(MigrationStage.Switchover)]
    public async Task LinkIsCutAndPluggedBackSoon(MigrationStage stage)
    {
        await using var service = await StartAsync();
        await using (var migration = await HoldAtAsync(stage, service))
        {
            await PluggedOutAsync(H2, () => Task.Delay(TimeSpan.FromSeconds(1)));
            await MakeFastAsync();
            (await migration.EndAsync()).ShouldBeDone();
        }

        await ShouldHaveMovedAsync(service);
    }

    [Theory]
    [InlineData(MigrationStage.PreCopy)]
    [InlineData(MigrationStage.Switchover)]
    public async Task LinkIsCutAndPluggedBackLate(MigrationStage stage)
    {
        await using var service = await StartAsync();
        // The destination cannot be told, and gives up by itself after this silence.
        await ConfigureAsync(H1, """{ "lease": "4s" }""");
        await using (var migration = await HoldAtAsync(stage, service, "--deadline", "5s", "--freeze-timeout", "3s"))
        {
            await PluggedOutAsync(H2, async () => (await migration.EndAsync()).ShouldHaveFailed(H1, NameOf(stage), "the time allowed for it has passed, and h2 does not answer"));
        }

        // It reads from a connection that ends when TCP says so, 25 s of silence and more; only then does its lease run.
        await MakeFastAsync();
        await ShouldBeAsBeforeAsync(H2, TimeSpan.FromSeconds(90));
        await ShouldGoOnAsync(service);
    }

    [Theory]
    [InlineData(12, "No space left on device", "/probe/")]
    [InlineData(18, "/memory has room for 1", "the container's memory is 2")]
    public async Task DestinationDiskFillsUp(int mebibytes, params string[] cause)
    {
        await using var service = await StartAsync();
        // 16 MiB come first, to try the connection, and are thrown away; then 20 MiB of memory.
        await MountAsync(H2, $"-t tmpfs -o size={mebibytes}m tmpfs", Journals);
        (await H1.MigrateAsync(service.Server.Name, H2)).ShouldHaveFailed(H2, "transfer", cause);
        await H2.RunAsync("umount", Journals);
        await ShouldGoOnAsync(service);
    }

    [Fact]
    public async Task DestinationDiskFillsUpWithTheWritableLayer()
    {
        await using var service = await StartAsync();
        await H1.RunAsync("docker", "exec", service.Server.Name, "dd", "if=/dev/urandom", "of=/data", "bs=1M", "count=8");
        await using (var migration = await HoldAtAsync(MigrationStage.PreCopy, service))
        {
            var layer = await H2.RunAsync("docker", "container", "inspect", "-f", "{{.GraphDriver.Data.UpperDir}}", service.Server.Name);
            await MountAsync(H2, "-t tmpfs -o size=4m tmpfs", layer);
            await MakeFastAsync();
            (await migration.EndAsync()).ShouldHaveFailed(H2, "transfer", "No space left on device");
        }

        await ShouldGoOnAsync(service);
    }

    [Theory]
    [InlineData("docker")]
    [InlineData("runc")]
    public async Task CriuCannotWriteTheDump(string runtime)
    {
        await using var service = await StartAsync(runtime);
        await MountAsync(H1, "-t tmpfs -o size=12m tmpfs", Journals);
        (await H1.MigrateAsync(service.Server.Name, H2, "--mode", "stop-and-copy")).ShouldHaveFailed(H1, "dump"); // its log is on the full disk too, and may not say why
        await H1.RunAsync("umount", Journals);
        await ShouldGoOnAsync(service);
    }

    [Theory]
    [InlineData("docker")]
    [InlineData("runc")]
    public async Task CriuHasNoMemoryForTheRestore(string runtime)
    {
        await using var service = await StartAsync(runtime);
        await using (await AlteredCriu.LimitedAsync(H2, "-v 30000"))
        {
            (await H1.MigrateAsync(service.Server.Name, H2)).ShouldHaveFailed(H2, "restore", "CRIU: ");
        }

        await ShouldGoOnAsync(service);
    }

    [Theory]
    [InlineData(MigrationStage.PreCopy, true)]
    [InlineData(MigrationStage.PreCopy, false)]
    [InlineData(MigrationStage.Switchover, true)]
    [InlineData(MigrationStage.Switchover, false)]
    public async Task OperatorCancels(MigrationStage stage, bool withControlC)
    {
        await using var service = await StartAsync();
        await using (var migration = await HoldAtAsync(stage, service))
        {
            if (withControlC)
            {
                migration.Interrupt();
            }
            else
            {
                await H1.RunAsync("ctmigrate", "cancel", migration.Id);
            }

            (await migration.EndAsync()).ShouldHaveBeenCancelled(NameOf(stage));
        }

        await ShouldGoOnAsync(service);
    }

    [Fact]
    public async Task SourceDaemonIsKilledWhileTheContainerIsFrozen()
    {
        await using var service = await StartAsync();
        AtTheEnd(() => H1.DaemonAsync("start"));
        await using (var migration = await HoldAtAsync(MigrationStage.Switchover, service))
        {
            await H1.DaemonAsync("kill");
            await H1.DaemonAsync("start");
            (await migration.EndAsync()).ShouldHaveFailed(H1, "recovery", "ctmigrated was restarted before GO");
        }

        await ShouldGoOnAsync(service);
    }

    [Theory]
    [InlineData("h1", "h1", "Go")]
    [InlineData("h2", "h1", "Go")]
    [InlineData("h2", "h2", "Committed")]
    public async Task DaemonIsKilledInTheMiddleOfTheHandover(string victim, string witness, string recorded)
    {
        var host = victim == H1.Name ? H1 : H2;
        await using var service = await StartAsync();
        AtTheEnd(() => host.DaemonAsync("start"));
        MigrationOutcome outcome;
        await using (var migration = await HoldAtAsync(MigrationStage.Switchover, service))
        {
            using var daemon = await host.DaemonProcessAsync();
            using var watch = await JournalWatch.StartAsync(witness == H1.Name ? H1 : H2, migration.Id, recorded);
            await MakeFastAsync();
            await watch.Recorded;
            daemon.Kill();
            await daemon.WaitForExitAsync(TestContext.Current.CancellationToken);
            await host.DaemonAsync("start");
            outcome = await migration.EndAsync();
        }

        // Before the destination's claim the container goes back, after it the move goes on; a kill can be on either side of it.
        if (outcome.ExitCode == 0)
        {
            await ShouldHaveMovedAsync(service);
        }
        else
        {
            outcome.ShouldHaveFailed(H2, "recovery", "ctmigrated was restarted before the commit");
            await ShouldGoOnAsync(service);
        }
    }

    private static string NameOf(MigrationStage stage) => stage == MigrationStage.PreCopy ? "transfer" : "switchover";

    private async Task<LiveService> StartAsync(string runtime = "docker")
    {
        var server = await NumberServer.StartAsync(H1, runtime, dockerOptions: ["--restart", "unless-stopped"]);
        return new LiveService(server, await NumberClients.ConnectAsync(Client), await server.DescribeAsync(H1), await H1.LeftoversAsync());
    }

    /// <summary>Starts to move a service, and returns while that is in a stage which it does not leave for seconds.</summary>
    private async Task<RunningMigration> HoldAtAsync(MigrationStage stage, LiveService service, params string[] options)
    {
        AtTheEnd(MakeFastAsync);
        await H1.RunAsync("docker", "exec", service.Server.Name, "dd", "if=/dev/urandom", "of=/held", "bs=1M", "count=16");
        if (stage == MigrationStage.PreCopy)
        {
            await CrawlingLink.BeginAsync(H1);
        }

        var migration = await RunningMigration.StartAsync(H1, service.Server.Name, H2, options);
        if (stage == MigrationStage.Switchover)
        {
            using var watch = await JournalWatch.StartAsync(H1, migration.Id, "Frozen");
            await CrawlingLink.BeginAtAsync(H1, watch.Recorded);
        }

        await migration.ReachesAsync(stage);
        return migration;
    }

    private Task MakeFastAsync() => CrawlingLink.EndAsync(H1);

    private async Task PluggedOutAsync(LabHost host, Func<Task> meanwhile)
    {
        AtTheEnd(() => LabFixture.LabAsync("link", host.Name, "up"));
        await LabFixture.LabAsync("link", host.Name, "down");
        await meanwhile();
        await LabFixture.LabAsync("link", host.Name, "up");
    }

    private async Task ConfigureAsync(LabHost host, string configuration)
    {
        const string File = "/etc/ctmigrate/ctmigrated.json";
        await host.ShellAsync($"cp {File} {File}.before; echo '{configuration}' >{File}");
        AtTheEnd(async () =>
        {
            await host.RunAsync("mv", File + ".before", File);
            await host.DaemonAsync("restart");
        });
        await host.DaemonAsync("restart");
    }

    /// <summary>The service is where it was and what it was; then it moves, undisturbed.</summary>
    private async Task ShouldGoOnAsync(LiveService service)
    {
        await MakeFastAsync();
        (await service.Server.DescribeAsync(H1)).ShouldBe(service.Description);
        await ShouldBeAsBeforeAsync(H2);
        await ShouldBeAsBeforeAsync(H1, service.Surroundings);
        // Not a test of how long the pause is.
        (await H1.MigrateAsync(service.Server.Name, H2, "--freeze-timeout", "60s")).ShouldBeDone();
        await ShouldHaveMovedAsync(service);
    }

    private async Task ShouldHaveMovedAsync(LiveService service)
    {
        await service.Server.ShouldRunOnAsync(H2);
        await service.Server.ShouldBeAbsentOnAsync(H1);
        await service.Clients.ShouldBeCompleteAsync();
        await MakeFastAsync();
        await ShouldBeAsBeforeAsync(H1);
    }

    /// <param name="Description">What it was before anything happened.</param>
    /// <param name="Surroundings">What was on its host then.</param>
    private sealed record LiveService(NumberServer Server, NumberClients Clients, string Description, Leftovers Surroundings) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Clients.DisposeAsync();
    }
}
