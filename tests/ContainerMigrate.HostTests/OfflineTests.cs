using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>Containers that are stopped, moved and started: what Docker keeps of them is what it was, and a failure starts them where they were.</summary>
[Trait("docker", "any")]
public sealed class OfflineTests(LabFixture lab) : HostTest(lab)
{
    // Says when it begins and when it is told to end, and keeps both in its layer and in a volume.
    private const string Program = """trap 'echo bye; echo bye >>/data/events; exit 3' TERM; echo begin; echo begin >>/data/events; echo begin >>/root/events; while :; do sleep 1 & wait $!; done""";

    [Fact]
    public async Task StopsMovesAndStarts()
    {
        await StartAsync("--label", "a=b", "--env", "COLOUR=red", "--restart", "always", "-v", "data:/data");
        await H1.WaitForLogAsync("worker", "begin");
        // What CRIU cannot take is no obstacle: another process that was executed into it.
        await H1.RunAsync("docker", "exec", "-d", "worker", "sleep", "1000");
        await H1.ShellAsync("dd if=/dev/urandom of=/var/lib/docker/volumes/data/_data/big bs=1M count=8 2>/dev/null");
        var sum = await H1.ShellAsync("sha256sum </var/lib/docker/volumes/data/_data/big");

        var moved = await H1.MigrateAsync("worker", H2, "--offline");
        moved.ShouldBeDone();

        (await H1.StateAsync("worker")).ShouldBe("absent");
        (await H1.ShellAsync("docker volume ls -q")).ShouldBeEmpty("what the source has kept");
        var there = (await H2.InspectAsync("worker"))!;
        there["State"]!["Status"]!.GetValue<string>().ShouldBe("running");
        there["HostConfig"]!["RestartPolicy"]!["Name"]!.GetValue<string>().ShouldBe("always");
        there["Config"]!["Labels"]!["a"]!.GetValue<string>().ShouldBe("b");
        there["NetworkSettings"]!["Networks"]!["lan"]!["IPAddress"]!.GetValue<string>().ShouldBe("10.77.0.61");
        await H2.WaitForLogAsync("worker", "bye");
        (await H2.RunAsync("docker", "exec", "worker", "cat", "/data/events")).ShouldBe("begin\nbye\nbegin");
        (await H2.RunAsync("docker", "exec", "worker", "cat", "/root/events")).ShouldBe("begin\nbegin");
        (await H2.RunAsync("docker", "exec", "worker", "sh", "-c", "echo $COLOUR")).ShouldBe("red");
        (await H2.ShellAsync("sha256sum </var/lib/docker/volumes/data/_data/big")).ShouldBe(sum);
        (await H2.RunAsync("docker", "logs", "worker")).ShouldBe("begin\nbye\nbegin");
        await Client.RunAsync("ping", "-c", "1", "-W", "2", "10.77.0.61");
    }

    [Fact]
    public async Task WhatCannotBeStartedThereIsStartedHereAgain()
    {
        await StartAsync("-v", "data:/data");
        // Docker gives no address twice, and finds that out at the start.
        await H2.DockerRunAsync("taken", "--network", "lan", "--ip", "10.77.0.61", "ctm-small:1", "sleep", "1000");

        var outcome = await H1.MigrateAsync("worker", H2, "--offline", "--skip", "address");

        outcome.ExitCode.ShouldBe(20, outcome.Summary);
        (await H2.StateAsync("worker")).ShouldBe("absent");
        (await H1.StateAsync("worker")).ShouldBe("running");
        (await H1.RunAsync("docker", "exec", "worker", "cat", "/data/events")).ShouldBe("begin\nbye\nbegin");
    }

    [Fact]
    public async Task WhatAStopWouldDestroyIsRefused()
    {
        await StartAsync("--rm");

        var refused = await H1.MigrateAsync("worker", H2, "--offline");

        refused.ExitCode.ShouldBe(10);
        refused.ErrorLines.ShouldContain(l => l.Contains("--rm", StringComparison.Ordinal));
        (await H1.StateAsync("worker")).ShouldBe("running");
    }

    private Task<string> StartAsync(params string[] options) =>
        H1.DockerRunAsync("worker", ["--network", "lan", "--ip", "10.77.0.61", .. options, "ctm-small:1", "sh", "-c", "mkdir -p /data; " + Program]);
}
