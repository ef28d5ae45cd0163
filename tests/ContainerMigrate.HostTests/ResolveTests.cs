using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>A migration in doubt: it says so, resolves by itself when the destination is back, and by an operator when that never comes; whatever the other host says later, one container runs.</summary>
public sealed class ResolveTests(LabFixture lab) : HostTest(lab)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task DoubtEndsByItselfOnceTheDestinationIsBack()
    {
        var server = await NumberServer.StartAsync(H1);
        await using var clients = await NumberClients.ConnectAsync(Client);
        await using var migration = await InDoubtAsync(server, H2Dies);

        // The command does not wait for ever, and says what decides.
        var outcome = await migration.EndAsync();
        outcome.ExitCode.ShouldBe(30, outcome.ToString());
        outcome.ErrorLines.ShouldContain(l => l.Contains("the container stays frozen here until h2 answers", StringComparison.Ordinal), outcome.ToString());
        outcome.ErrorLines.ShouldContain(l => l.Contains($"ctmigrate resolve {migration.Id}", StringComparison.Ordinal), outcome.ToString());
        (await H1.RunAsync("ctmigrate", "status", migration.Id)).ShouldContain("h2, as soon as it answers");
        (await LogAsync(H1)).ShouldContain("in doubt: the container stays frozen here until h2 says whether it runs there");

        await H2.DaemonAsync("start");
        await Eventually.BecomesTrueAsync("nothing is under way on h1", async () => (await H1.RunAsync("ctmigrate", "status")).StartsWith("no migration", StringComparison.Ordinal), Patience);
        // A kill can be on either side of the destination's claim.
        string[] states = [await server.StateOnAsync(H1), await server.StateOnAsync(H2)];
        states.Order().ShouldBe(["absent", "running"]);
        await clients.ShouldBeCompleteAsync();
        (await H1.RunAsync("ctmigrate", "history")).ShouldContain(migration.Id);
        (await H2.RunAsync("ctmigrate", "history")).ShouldContain(migration.Id);
    }

    [Fact]
    public async Task OperatorTakesTheContainerBackFromAHostThatIsGone()
    {
        var server = await NumberServer.StartAsync(H1);
        await using var clients = await NumberClients.ConnectAsync(Client);
        await using var migration = await InDoubtAsync(server, H2Dies);

        var journals = await H1.TryAsync("ctmigrate", "resolve", migration.Id);
        Measured.Write(journals.Output);
        journals.ExitCode.ShouldBe(30, journals.Error);
        journals.Output.ShouldContain("the journal of h2 cannot be shown: h2 does not answer");
        journals.Output.ShouldContain("h2 alone knows");
        var unconfirmed = await H1.TryAsync("ctmigrate", "resolve", migration.Id, "--winner", "source");
        (unconfirmed.ExitCode, await server.StateOnAsync(H1)).ShouldBe((2, "running")); // to Docker: it is frozen
        unconfirmed.Error.ShouldContain("Be sure that h2 is off");
        await H1.RunAsync("ctmigrate", "resolve", migration.Id, "--winner", "source", "--yes");
        (await migration.EndAsync()).ExitCode.ShouldBe(20);
        await server.ShouldRunOnAsync(H1);

        // What h2 had rebuilt and not committed it gives up when its daemon is back. A kill can be on the other side of its claim: what runs there then is held.
        await H2.DaemonAsync("start");
        var isHeld = false;
        await Eventually.BecomesTrueAsync("h2 does not run it", async () =>
            await server.StateOnAsync(H2) == "absent" || (isHeld = (await H2.RunAsync("ctmigrate", "status")).Contains("CONFLICT", StringComparison.Ordinal)), Patience);
        await server.ShouldRunOnAsync(H1);
        if (isHeld)
        {
            Measured.Write("h2 had committed when it was killed");
            await H2.RunAsync("docker", "rm", "-f", server.Name);
        }
        else
        {
            await clients.ShouldBeCompleteAsync();
        }

        await ShouldBeAsBeforeAsync(H2, Patience);
        (await H1.MigrateAsync(server.Name, H2, "--freeze-timeout", "60s")).ShouldBeDone();
    }

    [Fact]
    public async Task CopyOfADestinationThatHadCommittedIsHeldWhenTheLinkIsBack()
    {
        var server = await NumberServer.StartAsync(H1);
        AtTheEnd(() => CutLink.EndAsync(H2));
        await using var migration = await InDoubtAsync(server, H2FallsSilent);
        await Eventually.BecomesTrueAsync("h2 runs it", async () => (await H2.RunAsync("ctmigrate", "status")).Contains("running here", StringComparison.Ordinal), Patience);
        await CutLink.BeginAsync(H2);

        // The operator is mistaken: for now two copies run.
        await H1.RunAsync("ctmigrate", "resolve", migration.Id, "--winner", "source", "--yes");
        (await migration.EndAsync()).ExitCode.ShouldBe(20);
        await CutLink.EndAsync(H2);

        await Eventually.BecomesTrueAsync("both say that there is a conflict", async () =>
            (await H1.RunAsync("ctmigrate", "status", migration.Id)).Contains("CONFLICT", StringComparison.Ordinal)
            && (await H2.RunAsync("ctmigrate", "status")).Contains("CONFLICT", StringComparison.Ordinal), Patience);
        await server.ShouldRunOnAsync(H1);
        var pid = (await H2.InspectAsync(server.Name))!["State"]!["Pid"]!.ToString();
        (await H2.ShellAsync($"cat /sys/fs/cgroup$(sed -n 's/^0:://p' /proc/{pid}/cgroup | sed 's|^.*/docker/|/docker/|')/cgroup.events")).ShouldContain("frozen 1");
        (await LogAsync(H2)).ShouldContain("CONFLICT: h2: commit: web was committed here, but an operator of h1 decided that it belongs there");

        // Neither a restart of the daemon nor one of the container brings the copy back; its removal ends it.
        await H2.DaemonAsync("restart");
        (await H2.TryAsync("docker", "restart", "-t", "0", server.Name)).Error.ShouldContain("this container belongs to h1");
        await H2.RunAsync("docker", "rm", "-f", server.Name);
        await ShouldBeAsBeforeAsync(H2, Patience);
        (await H1.MigrateAsync(server.Name, H2, "--freeze-timeout", "60s")).ShouldBeDone();
    }

    /// <summary>Returns once the source says that it is in doubt.</summary>
    private async Task<RunningMigration> InDoubtAsync(NumberServer server, Func<Task, Task> happens)
    {
        var held = await HeldMigration.StartAsync(MigrationStage.Switchover, H1, server.Operand, H2, "--freeze-timeout", "30s");
        using (var watch = await JournalWatch.StartAsync(H1, held.Migration.Id, "Go"))
        {
            var happening = happens(watch.Recorded);
            await held.ReleaseAsync();
            await happening;
        }

        await Eventually.BecomesTrueAsync("the migration is in doubt", async () => (await H1.RunAsync("ctmigrate", "status")).Contains("in doubt", StringComparison.Ordinal), Patience);
        return held.Migration;
    }

    private async Task H2Dies(Task go)
    {
        AtTheEnd(() => H2.DaemonAsync("start"));
        using var daemon = await H2.DaemonProcessAsync();
        await go;
        daemon.Kill();
        await daemon.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    // It hears GO, and its answer is lost.
    private async Task H2FallsSilent(Task go)
    {
        await using var prepared = H2.Start("sh", "-c", "read now; exec nft 'table inet cut { chain output { type filter hook output priority 0; tcp sport 7440 drop; }; }'");
        await go;
        await prepared.Input.WriteLineAsync("now");
        (await prepared.WaitAsync(TimeSpan.FromSeconds(10))).Checked();
    }

    private static Task<string> LogAsync(LabHost host) => host.DaemonAsync("log");
}
