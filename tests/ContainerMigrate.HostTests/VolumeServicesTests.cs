using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>Databases with their data in a volume, moved there and back under load: whatever was acknowledged is there, and the data is sound.</summary>
[Trait("docker", "any")]
public sealed class VolumeServicesTests(LabFixture lab) : HostTest(lab), IClassFixture<AppsImage>
{
    private const string IPv4 = "10.77.0.60";

    [Fact]
    public async Task PostgresKeepsWhatItAcknowledgedAndItsIndexesMatch()
    {
        string[] psql = ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", IPv4, "-U", "postgres"];
        await StartAsync("postgres", "pgdata:/var/lib/postgresql", [.. psql, "-c", "CREATE TABLE numbers (n int PRIMARY KEY); CREATE TABLE accounts AS SELECT n AS id, 0 AS balance, repeat('x', 200) AS filler FROM generate_series(1, 20000) n; CREATE INDEX ON accounts (id, balance)"]);
        await using var writer = Client.Start(psql);
        var writing = await Conversation.StartAsync(writer, n => $"INSERT INTO numbers VALUES ({n}) RETURNING n;");
        await using var load = Client.Start("sh", "-c", $"while :; do echo 'UPDATE accounts SET balance = balance + 1 WHERE id = 1 + (random() * 19999)::int;'; done | {string.Join(' ', psql)}");

        await MoveThereAndBackAsync("postgres", "/var/lib/docker/volumes/pgdata/_data");

        var acknowledged = await writing.EndAsync();
        load.HasExited.ShouldBeFalse("the load's end before its time");
        load.Interrupt();
        writer.ErrorSoFar.ShouldBeEmpty();
        (await Client.RunAsync([.. psql, "-c", "SELECT count(*), min(n), max(n) FROM numbers"])).ShouldBe($"{acknowledged}|1|{acknowledged}");
        long.Parse(await Client.RunAsync([.. psql, "-c", "SELECT sum(balance) FROM accounts"])).ShouldBeGreaterThan(100);
        await H1.RunAsync("docker", "restart", "postgres");
        await ShouldSucceedAsync([.. psql, "-c", "CREATE EXTENSION IF NOT EXISTS amcheck"]);
        await Client.RunAsync([.. psql, "-c", "SELECT bt_index_check(c.oid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree'"]);
        (await Client.RunAsync([.. psql, "-c", "SELECT count(*) FROM numbers"])).ShouldBe($"{acknowledged}", "after a restart");
    }

    [Fact]
    public async Task RedisKeepsEveryAcknowledgedWriteInItsAppendOnlyFile()
    {
        string[] redis = ["redis-cli", "-h", IPv4];
        await StartAsync("redis", "redisdata:/var/lib/redis", [.. redis, "ping"]);
        await using var writer = Client.Start(["stdbuf", "-oL", .. redis]);
        var writing = await Conversation.StartAsync(writer, n => $"RPUSH writes {n}");

        await MoveThereAndBackAsync("redis", "/var/lib/docker/volumes/redisdata/_data");

        var acknowledged = await writing.EndAsync();
        await H1.RunAsync("docker", "restart", "redis");
        await ShouldSucceedAsync([.. redis, "ping"]);
        (await Client.RunAsync([.. redis, "lrange", "writes", "0", "-1"])).ShouldBe(string.Join('\n', Enumerable.Range(1, acknowledged)));
    }

    [Fact]
    public async Task MariaDbKeepsWhatItAcknowledgedAndItsTablesAreSound()
    {
        string[] sql = ["mariadb", "--skip-ssl", "-NBn", "-h", IPv4, "-u", "root", "test"];
        await StartAsync("mariadb", "mariadata:/var/lib/mysql", [.. sql[..^1], "-e", """
            CREATE DATABASE IF NOT EXISTS test; USE test; CREATE TABLE numbers (n int PRIMARY KEY) ENGINE=InnoDB;
            CREATE TABLE accounts (id int PRIMARY KEY, balance int, filler char(200), KEY (balance, id)) ENGINE=InnoDB;
            INSERT INTO accounts SELECT seq, 0, 'x' FROM seq_1_to_20000;
            """]);
        await using var writer = Client.Start(sql);
        var writing = await Conversation.StartAsync(writer, n => $"INSERT INTO numbers VALUES ({n}); SELECT {n};");
        await using var load = Client.Start("sh", "-c", $"while :; do echo 'UPDATE accounts SET balance = balance + 1 WHERE id = 1 + floor(rand() * 19999);'; done | {string.Join(' ', sql)}");

        await MoveThereAndBackAsync("mariadb", "/var/lib/docker/volumes/mariadata/_data");

        var acknowledged = await writing.EndAsync();
        load.HasExited.ShouldBeFalse("the load's end before its time");
        load.Interrupt();
        writer.ErrorSoFar.ShouldBeEmpty();
        (await Client.RunAsync([.. sql, "-e", "SELECT count(*), min(n), max(n) FROM numbers"])).ShouldBe($"{acknowledged}\t1\t{acknowledged}");
        long.Parse(await Client.RunAsync([.. sql, "-e", "SELECT sum(balance) FROM accounts"])).ShouldBeGreaterThan(100);
        await H1.RunAsync("docker", "restart", "mariadb");
        await ShouldSucceedAsync([.. sql, "-e", "SELECT 1"]);
        (await Client.RunAsync("mariadb-check", "--skip-ssl", "-h", IPv4, "-u", "root", "--check", "--extended", "test")).Split('\n').ShouldAllBe(l => l.EndsWith(" OK", StringComparison.Ordinal));
        (await Client.RunAsync([.. sql, "-e", "CHECK TABLE numbers, accounts EXTENDED"])).Split('\n').ShouldAllBe(l => l.EndsWith("\tOK", StringComparison.Ordinal));
        (await Client.RunAsync([.. sql, "-e", "SELECT count(*) FROM numbers"])).ShouldBe($"{acknowledged}", "after a restart");
    }

    private async Task StartAsync(string service, string volume, IReadOnlyList<string> probe)
    {
        await H1.DockerRunAsync(service, "--network", "lan", "--ip", IPv4, "-v", volume, AppsImage.Name, $"/app/{service}");
        await ShouldSucceedAsync(probe);
    }

    private async Task MoveThereAndBackAsync(string service, string directory)
    {
        foreach (var (from, to) in ((LabHost, LabHost)[])[(H1, H2), (H2, H1)])
        {
            (await from.MigrateAsync(service, to)).ShouldBeDone();
            (await from.ShellAsync($"ls -d {directory} 2>/dev/null || true")).ShouldBeEmpty("what the source has kept");
            (await to.RunAsync("ls", directory)).ShouldNotBeEmpty();
        }
    }

    private Task ShouldSucceedAsync(IReadOnlyList<string> probe) =>
        Eventually.BecomesTrueAsync($"{string.Join(' ', probe)} succeeds", async () => (await Client.TryAsync([.. probe])).ExitCode == 0);
}
