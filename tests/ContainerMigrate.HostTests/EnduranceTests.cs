using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>Programs with many threads or processes and a memory of their own making, moved back and forth under load.</summary>
[Trait("docker", "any")]
public sealed class EnduranceTests(LabFixture lab) : HostTest(lab), IClassFixture<AppsImage>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    // Without Docker's seccomp profile it uses io_uring, whatever its settings say.
    [Fact]
    public async Task ThreadsAndCollectorsOfNodeLoseNothing()
    {
        var node = await LabContainer.StartAsync(H1, "docker", "node", AppsImage.Name, ["node", "/app/churn.js"], $"MEMORY={Endurance.MemoryMebibytes}");
        await using var client = await Endurance.AskAsync(Client, LabContainer.IPv4, Patience);
        var (from, to) = (H1, H2);
        for (var move = 1; move <= Endurance.Moves(2); move++)
        {
            (await from.MigrateAsync(node.Name, to)).ShouldBeDone();
            await node.ShouldHaveMovedAsync(from, to);
            await client.Input.WriteLineAsync("look");
            var number = $"{move} ";
            (await client.WaitForOutputAsync(l => l.StartsWith(number, StringComparison.Ordinal), Patience)).TrimEnd().ShouldBe($"{move} right");
            (from, to) = (to, from);
        }
    }

    [Theory]
    [InlineData("docker")]
    [InlineData("docker", "pgdata:/var/lib/postgresql")]
    [InlineData("runc")]
    public async Task PostgresUnderLoadStaysConsistent(string runtime, params string[] volumes)
    {
        string[] psql = ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", LabContainer.IPv4, "-U", "postgres"];
        var postgres = await LabContainer.StartAsync(H1, runtime, "postgres", AppsImage.Name, ["/app/postgres"], volumes, []);
        await Eventually.BecomesTrueAsync("PostgreSQL answers", async () => (await Client.TryAsync([.. psql, "-c", "CREATE TABLE numbers (n int)"])).ExitCode == 0, Patience);
        await Client.ShellAsync($"$(echo /usr/lib/postgresql/*/bin/pgbench) -h {LabContainer.IPv4} -U postgres -i -q -s {Endurance.PgbenchScale} postgres");
        // Ends, with an error, when any of its connections does.
        await using var load = Client.Start("sh", "-c", $"exec $(echo /usr/lib/postgresql/*/bin/pgbench) -h {LabContainer.IPv4} -U postgres -n -c 4 -j 2 -T 36000 postgres");
        await using var writer = Client.Start(psql);
        var writing = await Conversation.StartAsync(writer, n => $"INSERT INTO numbers VALUES ({n}) RETURNING n;");
        var (from, to) = (H1, H2);
        for (var move = 1; move <= Endurance.Moves(2); move++)
        {
            (await from.MigrateAsync(postgres.Name, to)).ShouldBeDone();
            load.HasExited.ShouldBeFalse($"pgbench's end after move {move}: {load.ErrorSoFar}");
            (from, to) = (to, from);
        }

        var acknowledged = await writing.EndAsync();
        load.HasExited.ShouldBeFalse(load.ErrorSoFar);
        load.Terminate();
        await load.WaitAsync(Patience);
        (await Client.RunAsync([.. psql, "-c", "SELECT count(*), count(DISTINCT n), min(n), max(n) FROM numbers"])).ShouldBe($"{acknowledged}|{acknowledged}|1|{acknowledged}");
        // pgbench adds one amount to an account, a teller and a branch in each transaction.
        var sums = (await Client.RunAsync([.. psql, "-c", "SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(delta) FROM pgbench_history)"])).Split('|');
        sums.Distinct().ShouldHaveSingleItem(string.Join(", ", sums));
        await Client.ShellAsync($"$(echo /usr/lib/postgresql/*/bin/pg_amcheck) -h {LabContainer.IPv4} -U postgres --install-missing --heapallindexed postgres");
    }
}
