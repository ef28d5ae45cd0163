using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>Real services, moved while a client uses them: what was begun goes on, and what was promised holds.</summary>
public sealed class ServicesTests(LabFixture lab) : HostTest(lab), IClassFixture<AppsImage>
{
    private const string IPv4 = "10.77.0.60";
    private const string IPv6 = "fd77::60";

    // 12 s at that rate: a download which is under way before the move and still is after it.
    private const int DownloadMebibytes = 24;
    private static readonly string[] SlowDownload = [$"SIZE={DownloadMebibytes}", $"RATE={2 << 20}"];

    [Theory]
    [InlineData("docker")]
    [InlineData("runc")]
    public async Task SshSessionGoesOnTyping(string runtime)
    {
        string[] ssh = ["ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", $"root@{LabContainer.IPv6}"];
        var sshd = await LabContainer.StartAsync(H1, runtime, "sshd", AppsImage.Name, ["/app/sshd"]);
        await ShouldSucceedAsync([.. ssh, "true"]);
        await using var session = Client.Start([.. ssh, "-tt"]);
        await session.Input.WriteLineAsync("stty -echo rows 33 columns 91; secret=kept; n=0; echo ready-$((6 * 7))");
        await session.WaitForOutputAsync(l => l.Contains("ready-42", StringComparison.Ordinal));

        // A variable of the shell counts: were a line lost or read twice, the answers would no longer match.
        var typing = await Conversation.StartAsync(session, _ => "n=$((n + 1)); printf '\\n%s\\n' $n");
        (await H1.MigrateAsync(sshd.Name, H2)).ShouldBeDone();
        await sshd.ShouldHaveMovedAsync(H1, H2);
        await ShouldBeAsBeforeAsync(H1);
        await typing.EndAsync();

        await session.Input.WriteLineAsync("echo \"variable $secret, terminal $(stty size) $(tty)\"");
        await session.WaitForOutputAsync(l => l.Contains("variable kept, terminal 33 91 /dev/pts/0", StringComparison.Ordinal));
        await session.Input.WriteLineAsync("sh -c 'echo sleeping-$((6 * 7)); exec sleep 1000'");
        await session.WaitForOutputAsync(l => l.Contains("sleeping-42", StringComparison.Ordinal));
        await session.Input.WriteAsync('\x03');
        await session.Input.WriteLineAsync("echo interrupted-$?");
        await session.WaitForOutputAsync(l => l.Contains("interrupted-130", StringComparison.Ordinal));
        await session.Input.WriteLineAsync("exit 7");
        (await session.WaitAsync(TimeSpan.FromSeconds(10))).ExitCode.ShouldBe(7);
        (await Client.RunAsync([.. ssh, "hostname"])).ShouldNotBeEmpty("a new session");
    }

    [Fact]
    public async Task FtpDownloadComesOutRight()
    {
        await StartAsync("ftpd", ["curl", "-sS", $"ftp://{IPv4}/"], SlowDownload);
        var sum = await H1.RunAsync("docker", "exec", "ftpd", "sha256sum", "/srv/ftp/large");
        await using var download = await DownloadAsync($"ftp://{IPv4}/large");

        await MoveAsync("ftpd");

        await ShouldComeOutRightAsync(download, sum);
    }

    [Fact]
    public async Task PostgresCommitsATransactionThatWasOpenAndKeepsWhatItAcknowledged()
    {
        string[] psql = ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", IPv6, "-U", "postgres"];
        await StartAsync("postgres", [.. psql, "-c", "CREATE TABLE notes (note text); CREATE TABLE numbers (n int)"]);
        await using var transaction = Client.Start(psql);
        await transaction.Input.WriteLineAsync("BEGIN; INSERT INTO notes VALUES ('before the move'); SELECT 'backend ' || pg_backend_pid();");
        var backend = await transaction.WaitForOutputAsync(l => l.StartsWith("backend", StringComparison.Ordinal));
        await using var writer = Client.Start(psql);
        var writing = await Conversation.StartAsync(writer, n => $"INSERT INTO numbers VALUES ({n}) RETURNING n;");

        await MoveAsync("postgres");

        var acknowledged = await writing.EndAsync();
        (await Client.RunAsync([.. psql, "-c", "SELECT count(*) FROM notes"])).ShouldBe("0", "rows of the open transaction that others see");
        await transaction.Input.WriteLineAsync("INSERT INTO notes VALUES ('after the move'); COMMIT; SELECT 'then ' || 'backend ' || pg_backend_pid();");
        (await transaction.WaitForOutputAsync(l => l.StartsWith("then", StringComparison.Ordinal))).ShouldBe($"then {backend}");
        transaction.ErrorSoFar.ShouldBeEmpty();
        writer.ErrorSoFar.ShouldBeEmpty();
        (await Client.RunAsync([.. psql, "-c", "SELECT note FROM notes"])).ShouldBe("before the move\nafter the move");
        (await Client.RunAsync([.. psql, "-c", "SELECT count(*), count(DISTINCT n), min(n), max(n) FROM numbers"]))
            .ShouldBe($"{acknowledged}|{acknowledged}|1|{acknowledged}");
    }

    [Fact]
    public async Task RedisKeepsEveryAcknowledgedWrite()
    {
        string[] redis = ["redis-cli", "-h", IPv4];
        await StartAsync("redis", [.. redis, "ping"]);
        await using var writer = Client.Start(["stdbuf", "-oL", .. redis]);
        // RPUSH answers with the list's new length.
        var writing = await Conversation.StartAsync(writer, n => $"RPUSH writes {n}");
        var connection = await Client.RunAsync([.. redis, "info", "stats"]);

        await MoveAsync("redis");

        var acknowledged = await writing.EndAsync();
        var writes = await Client.RunAsync([.. redis, "lrange", "writes", "0", "-1"]);
        writes.ShouldBe(string.Join('\n', Enumerable.Range(1, acknowledged)));
        // redis-cli would connect again without a word: two connections more are those of this test's own questions.
        Connections(await Client.RunAsync([.. redis, "info", "stats"])).ShouldBe(Connections(connection) + 2, "connections that Redis has received");

        await H2.RunAsync("docker", "restart", "redis");
        await Eventually.BecomesTrueAsync("Redis answers after a restart", async () => (await Client.TryAsync([.. redis, "ping"])).Text == "PONG");
        (await Client.RunAsync([.. redis, "llen", "writes"])).ShouldBe($"{acknowledged}", "writes in the append-only file");
    }

    [Fact]
    public async Task NginxKeepsConnectionsAndDownloads()
    {
        const string AskOnOneConnection = """
            import http.client, sys
            connection = http.client.HTTPConnection(sys.argv[1])
            connection.connect()
            connection.auto_open = 0
            for line in sys.stdin:
                connection.request("GET", "/")
                if connection.getresponse().read() == b"it works\n":
                    print(line, end="", flush=True)
            """;
        await StartAsync("nginx", ["curl", "-fsS", $"http://{IPv4}/"], SlowDownload);
        var sum = await H1.RunAsync("docker", "exec", "nginx", "sha256sum", "/var/www/html/large");
        await using var download = await DownloadAsync($"http://[{IPv6}]/large");
        await using var browser = Client.Start("python3", "-c", AskOnOneConnection, IPv4);
        var asking = await Conversation.StartAsync(browser, n => $"{n}");

        await MoveAsync("nginx");

        await asking.EndAsync();
        await ShouldComeOutRightAsync(download, sum);
        (await Client.RunAsync("curl", "-fsS", $"http://[{IPv6}]/")).ShouldBe("it works", "a new connection");
    }

    // A container named as its script in tests/lab/workloads; returns when the client's command succeeds.
    private async Task StartAsync(string service, IReadOnlyList<string> probe, IReadOnlyList<string>? environment = null)
    {
        await H1.DockerRunAsync(
            service, ["--network", "lan", "--ip", IPv4, "--ip6", IPv6, .. (environment ?? []).SelectMany(e => (string[])["-e", e]), AppsImage.Name, $"/app/{service}"]);
        await ShouldSucceedAsync(probe);
    }

    private Task ShouldSucceedAsync(IReadOnlyList<string> probe) =>
        Eventually.BecomesTrueAsync($"{string.Join(' ', probe)} succeeds", async () => (await Client.TryAsync([.. probe])).ExitCode == 0);

    private async Task MoveAsync(string service)
    {
        var moved = await H1.MigrateAsync(service, H2);
        moved.ShouldBeDone();
        (await H1.StateAsync(service)).ShouldBe("absent");
        (await H2.StateAsync(service)).ShouldBe("running");
        await ShouldBeAsBeforeAsync(H1);
    }

    // Under way when it returns.
    private async Task<LabProcess> DownloadAsync(string url)
    {
        AtTheEnd(() => Client.RunAsync("rm", "-f", "/tmp/download"));
        var curl = Client.Start("curl", "-fsS", "-o", "/tmp/download", url);
        await Eventually.BecomesTrueAsync($"first bytes of {url}", async () => await DownloadedAsync() > 0);
        return curl;
    }

    private async Task ShouldComeOutRightAsync(LabProcess download, string sum)
    {
        download.HasExited.ShouldBeFalse("the download's end before the move's");
        var soFar = await DownloadedAsync();
        var result = await download.WaitAsync(TimeSpan.FromSeconds(30));
        result.ExitCode.ShouldBe(0, result.Error);
        (await Client.RunAsync("sha256sum", "/tmp/download")).Split(' ')[0].ShouldBe(sum.Split(' ')[0]);
        Measured.Write($"{soFar / 1048576.0:0.0} of {DownloadMebibytes} MiB had come when the move was over");
    }

    private async Task<long> DownloadedAsync()
    {
        var size = await Client.TryAsync("stat", "-c", "%s", "/tmp/download");
        return size.ExitCode == 0 ? long.Parse(size.Text) : 0;
    }

    private static int Connections(string redisStats) =>
        int.Parse(redisStats.Split('\n').Single(l => l.StartsWith("total_connections_received:", StringComparison.Ordinal)).Split(':')[1]);
}
