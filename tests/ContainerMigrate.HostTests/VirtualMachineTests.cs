using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>
/// Two machines with Debian 13 as it is installed: its kernel, systemd, Docker and CRIU, and ContainerMigrate from its package, installed as README says.
/// <c>make test-vm</c> runs this, emulated as the case may be: so everything has a lot of time.
/// </summary>
[Trait("suite", "vm")]
public sealed class VirtualMachineTests(LabFixture lab) : HostTest(lab)
{
    private const string Configuration = """{ "freeze_timeout": "3m", "deadline": "20m", "lease": "3m", "gate_timeout": "3m" }""";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    [Theory]
    [InlineData("docker")]
    [InlineData("runc")]
    public async Task AContainerMovesThereAndBackWithItsClients(string runtime)
    {
        var web = await NumberServer.StartAsync(H1, runtime);
        await using var steady = await NumberClient.ConnectAsync(Client, NumberServer.IPv4);
        await using var waiting = await NumberClient.ConnectAsync(Client, NumberServer.IPv6, "wait");

        await MoveAsync(web, H1, H2);
        await MoveAsync(web, H2, H1);

        (await steady.StopAsync()).ShouldBeComplete();
        (await waiting.StopAsync()).ShouldBeComplete();
    }

    [Fact]
    public async Task AnUpgradeBetweenTwoMigrationsLeavesContainersAlone()
    {
        var web = await NumberServer.StartAsync(H1);
        await using var client = await NumberClient.ConnectAsync(Client, NumberServer.IPv4);
        await MoveAsync(web, H1, H2);

        await LabFixture.LabAsync("upgrade");

        await MoveAsync(web, H2, H1);
        (await client.StopAsync()).ShouldBeComplete();
    }

    [Fact]
    public async Task AContainerMovesWhileItsMemoryIsFollowedBySoftDirtyBits()
    {
        await using var one = await ArmedDaemon.StartAsync(H1, Configuration.Replace("{ ", """{ "memory_tracker": "soft-dirty-unproven", """, StringComparison.Ordinal));
        await using var other = await ArmedDaemon.StartAsync(H2, Configuration.Replace("{ ", """{ "memory_tracker": "soft-dirty-unproven", """, StringComparison.Ordinal));
        var container = await LabContainer.StartAsync(H1, "docker", "fire", "ctm-small:1", ["python3", "/app/fire.py"], "MEMORY=32", "DIRTY=1");
        await using var client = await Endurance.AskAsync(Client, LabContainer.IPv4, Patience);
        var (from, to) = (H1, H2);
        for (var move = 1; move <= 2; move++)
        {
            var moved = await from.MigrateAsync(container.Name, to, "--mode", "precopy");
            moved.ShouldBeDone();
            moved.Json["tracker"]?.GetValue<string>().ShouldBe("soft-dirty");
            await container.ShouldHaveMovedAsync(from, to);

            await client.Input.WriteLineAsync("look");
            var number = $"{move} ";
            (await client.WaitForOutputAsync(l => l.StartsWith(number, StringComparison.Ordinal), Patience)).TrimEnd().ShouldBe($"{move} right");
            (from, to) = (to, from);
        }
    }

    /// <summary>The source's power is cut after it has told the destination to take over: the container runs there, once.</summary>
    [Fact]
    public async Task TheSourceLosesPowerAfterTheHandover()
    {
        var web = await NumberServer.StartAsync(H1);
        await using var client = await NumberClient.ConnectAsync(Client, NumberServer.IPv4);
        await using (var destination = await ArmedDaemon.StartAsync(H2, Configuration))
        {
            await destination.HoldAtAsync("destination.record.Committed:after");
            await using var migration = await RunningMigration.StartAsync(H1, web.Name, H2);
            await destination.HeldAsync(Patience);

            await LabFixture.LabAsync("reboot", H1.Name);
            await destination.ReleaseAsync();

            await Eventually.BecomesTrueAsync("the destination runs it", async () => await web.StateOnAsync(H2) == "running", Patience);
            await Eventually.BecomesTrueAsync("the source has removed it", async () => await web.StateOnAsync(H1) == "absent", Patience);
        }

        (await client.StopAsync()).ShouldBeComplete();
        await MoveAsync(web, H2, H1);
    }

    /// <summary>The destination's power is cut while it restores: the container goes on where it was, and can be moved once the host is back.</summary>
    [Fact]
    public async Task TheDestinationLosesPowerBeforeTheHandover()
    {
        var web = await NumberServer.StartAsync(H1);
        await using var client = await NumberClient.ConnectAsync(Client, NumberServer.IPv4);
        await using (var destination = await ArmedDaemon.StartAsync(H2, Configuration))
        {
            await destination.HoldAtAsync("target.Restore:before");
            await using var migration = await RunningMigration.StartAsync(H1, web.Name, H2);
            await destination.HeldAsync(Patience);

            await LabFixture.LabAsync("reboot", H2.Name);

            var outcome = await migration.EndAsync();
            outcome.ExitCode.ShouldBe(20, outcome.ToString());
            await web.ShouldRunOnAsync(H1);
        }

        await web.ShouldBeAbsentOnAsync(H2);
        await MoveAsync(web, H1, H2);
        (await client.StopAsync()).ShouldBeComplete();
    }

    private static async Task MoveAsync(NumberServer server, LabHost from, LabHost to)
    {
        (await from.MigrateAsync(server.Operand, to)).ShouldBeDone();
        await server.ShouldRunOnAsync(to);
        await server.ShouldBeAbsentOnAsync(from);
    }
}
