using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>
/// A migration in doubt: it says so, resolves by itself when the destination is back, and by an operator when that never comes; whatever the other host says later, one
/// container runs.
/// </summary>
[Trait("docker", "any")]
public sealed class ResolveTests(LabFixture lab) : HostTest(lab)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task DoubtEndsByItselfOnceTheDestinationIsBack()
    {
        var server = await NumberServer.StartAsync(H1);
        await using var clients = await NumberClients.ConnectAsync(Client);
        await using var hold = await HeldCommit.BeginAsync(H2);
        await using var migration = await InDoubtAsync(server);

        // The command does not wait for ever, and says what decides.
        var outcome = await migration.EndAsync();
        outcome.ExitCode.ShouldBe(30, outcome.ToString());
        outcome.ErrorLines.ShouldContain(l => l.Contains("the container stays frozen here until h2 answers", StringComparison.Ordinal), outcome.ToString());
        outcome.ErrorLines.ShouldContain(l => l.Contains($"ctmigrate resolve {migration.Id}", StringComparison.Ordinal), outcome.ToString());
        (await H1.RunAsync("ctmigrate", "status", migration.Id)).ShouldContain("h2, as soon as it answers");
        (await H1.DaemonAsync("log")).ShouldContain("in doubt: the container stays frozen here until h2 says whether it runs there");

        await H2.DaemonAsync("start");
        await hold.DisposeAsync();
        await Eventually.BecomesTrueAsync("nothing is under way on h1", async () => (await H1.RunAsync("ctmigrate", "status")).StartsWith("no migration", StringComparison.Ordinal), Patience);
        await server.ShouldRunOnAsync(H2);
        await server.ShouldBeAbsentOnAsync(H1);
        clients.Complaints.ShouldBeEmpty(); // what they have sent meanwhile they send again when their own timers say so
        (await H1.RunAsync("ctmigrate", "history")).ShouldContain(migration.Id);
        (await H2.RunAsync("ctmigrate", "history")).ShouldContain(migration.Id);
    }

    [Fact]
    public async Task OperatorTakesTheContainerBackAndTheOtherCopyIsHeldWhenItsHostComesBack()
    {
        var server = await NumberServer.StartAsync(H1);
        await using var hold = await HeldCommit.BeginAsync(H2);
        await using var migration = await InDoubtAsync(server);

        var journals = await H1.TryAsync("ctmigrate", "resolve", migration.Id);
        Measured.Write(journals.Output);
        journals.ExitCode.ShouldBe(30, journals.Error);
        journals.Output.ShouldContain("the journal of h2 cannot be shown: h2 does not answer");
        journals.Output.ShouldContain("h2 alone knows");
        var unconfirmed = await H1.TryAsync("ctmigrate", "resolve", migration.Id, "--winner", "source");
        unconfirmed.ExitCode.ShouldBe(2, unconfirmed.Error);
        unconfirmed.Error.ShouldContain("Be sure that h2 is off");
        await H1.RunAsync("ctmigrate", "resolve", migration.Id, "--winner", "source", "--yes");
        (await migration.EndAsync()).ExitCode.ShouldBe(20);
        await server.ShouldRunOnAsync(H1);

        // It had committed, and runs its copy now that nothing holds it: what the operator was warned of.
        await hold.DisposeAsync();
        await Eventually.BecomesTrueAsync("h2 runs it", async () => await server.StateOnAsync(H2) == "running", Patience);
        await H2.DaemonAsync("start");
        await Eventually.BecomesTrueAsync("both say that there is a conflict", async () =>
            (await H1.RunAsync("ctmigrate", "status", migration.Id)).Contains("CONFLICT", StringComparison.Ordinal)
            && (await H2.RunAsync("ctmigrate", "status")).Contains("CONFLICT", StringComparison.Ordinal), Patience);
        await server.ShouldRunOnAsync(H1);
        var id = (await H2.InspectAsync(server.Name))!["Id"]!.ToString();
        (await H2.RunAsync("cat", $"/sys/fs/cgroup/docker/{id}/cgroup.events")).ShouldContain("frozen 1");
        (await H2.DaemonAsync("log")).ShouldContain("CONFLICT: h2: commit: web was committed here, but an operator of h1 decided that it belongs there");

        // Neither a restart of the daemon nor one of the container brings the copy back; its removal ends it.
        await H2.DaemonAsync("restart");
        (await H2.TryAsync("docker", "restart", "-t", "0", server.Name)).Error.ShouldContain("this container belongs to h1");
        await H2.RunAsync("docker", "rm", "-f", server.Name);
        await Eventually.BecomesTrueAsync("nothing is under way on h2", async () => (await H2.RunAsync("ctmigrate", "status")).StartsWith("no migration", StringComparison.Ordinal), Patience);
        (await H1.MigrateAsync(server.Name, H2, "--freeze-timeout", "60s")).ShouldBeDone();
    }

    /// <summary>Returns once the source says that it is in doubt, with a destination that has committed and whose daemon is dead.</summary>
    private async Task<RunningMigration> InDoubtAsync(NumberServer server)
    {
        AtTheEnd(() => H2.DaemonAsync("start"));
        using var daemon = await H2.DaemonProcessAsync();
        var migration = await RunningMigration.StartAsync(H1, server.Operand, H2);
        await Eventually.BecomesTrueAsync("h2 has committed", async () => (await H2.TryAsync("grep", "-q", "\"phase\":\"Committed\"", $"/var/lib/ctmigrate/migrations/{migration.Id}/journal")).ExitCode == 0, Patience);
        daemon.Kill();
        await daemon.WaitForExitAsync(TestContext.Current.CancellationToken);
        await Eventually.BecomesTrueAsync("the migration is in doubt", async () => (await H1.RunAsync("ctmigrate", "status")).Contains("in doubt", StringComparison.Ordinal), Patience);
        return migration;
    }
}
