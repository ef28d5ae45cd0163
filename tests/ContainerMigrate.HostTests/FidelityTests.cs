using System.Globalization;
using System.Text.Json.Nodes;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>A container is on the destination what it was on the source.</summary>
public sealed class FidelityTests(LabFixture lab) : HostTest(lab)
{
    private const string Container = "web";
    private static readonly string[] Network = ["--network", "lan", "--ip", NumberServer.IPv4, "--ip6", NumberServer.IPv6];

    // Counts on its standard output, and exits with status 5 when it is told to stop.
    private static readonly string[] Counter =
    [
        "ctm-small:1", "python3", "-c",
        "import itertools, os, signal, time\nsignal.signal(signal.SIGUSR1, lambda *_: os._exit(5))\nfor n in itertools.count(1):\n    print(n)\n    time.sleep(0.01)",
    ];

    [Fact]
    public async Task PausedContainerArrivesPausedAndGoesOn()
    {
        var web = await NumberServer.StartAsync(H1);
        await H1.RunAsync("docker", "pause", web.Name);

        (await H1.MigrateAsync(web.Name, H2)).ShouldBeDone();

        (await H2.StateAsync(web.Name)).ShouldBe("paused");
        await web.ShouldBeAbsentOnAsync(H1);
        await H2.RunAsync("docker", "unpause", web.Name);
        await using var client = await NumberClient.ConnectAsync(Client, NumberServer.IPv4, "wait");
        (await client.StopAsync()).ShouldBeComplete();
    }

    [Fact]
    public async Task MovedThereAndBackAndAgainItIsStillDockersOwn()
    {
        await H1.DockerRunAsync(
            Container,
            [
                .. Network, "--hostname", "name", "--restart", "always", "--stop-signal", "SIGUSR1", "--health-cmd", "true", "--health-interval", "1s", "--label", "kept=yes",
                .. Counter,
            ]);
        await H1.WaitForLogAsync(Container, "20");
        var settings = ContainerSettings.Of((await H1.InspectAsync(Container))!);

        foreach (var (source, destination) in ((LabHost, LabHost)[])[(H1, H2), (H2, H1), (H1, H2)])
        {
            (await source.MigrateAsync(Container, destination)).ShouldBeDone();

            (await source.StateAsync(Container)).ShouldBe("absent");
            await ShouldHaveSettingsAsync(destination, settings);
            await ShouldBeDockersOwnAsync(destination);
        }

        await ShouldBeRestartedWhenItDiesAsync(H2);
        await H2.RunAsync("docker", "restart", Container);
        (await H2.StateAsync(Container)).ShouldBe("running");
        await H2.RunAsync("docker", "stop", Container);
        (await H2.InspectAsync(Container))!["State"]!["ExitCode"]!.GetValue<int>().ShouldBe(5, "what it does on its own stop signal");
    }

    // CRIU lets tasks go one by one, and fails when one is gone by then; and returns EINTR from poll(2).
    [Fact]
    public async Task ProcessesMayKillEachOtherTheMomentTheyRunAgain()
    {
        await H1.DockerRunAsync(Container, [.. Network, "ctm-small:1", "python3", "/app/resume.py"]);
        await H1.WaitForLogAsync(Container, "ready");

        foreach (var (source, destination) in ((LabHost, LabHost)[])[(H1, H2), (H2, H1), (H1, H2)])
        {
            await Task.Delay(TimeSpan.FromSeconds(0.5), TestContext.Current.CancellationToken); // all processes wait in their calls
            var earlier = (await source.RunAsync("docker", "logs", Container)).Split('\n').Count(l => l.StartsWith("killed", StringComparison.Ordinal));

            (await source.MigrateAsync(Container, destination)).ShouldBeDone();

            (await destination.StateAsync(Container)).ShouldBe("running");
            await Eventually.BecomesTrueAsync(
                "it has noticed the stop",
                async () => (await destination.RunAsync("docker", "logs", Container)).Split('\n').Count(l => l.StartsWith("killed", StringComparison.Ordinal)) > earlier,
                TimeSpan.FromSeconds(15));
        }

        (await H2.RunAsync("docker", "logs", Container)).ShouldNotContain("interrupted");
    }

    [Fact]
    public async Task KeepsEverySetting()
    {
        // Limits of memory and processors only where the machine has these controllers, see tests/lab/README.md.
        var controllers = await H1.RunAsync("cat", "/sys/fs/cgroup/cgroup.controllers");
        string[] limits =
        [
            .. controllers.Contains("memory", StringComparison.Ordinal) ? (string[])["--memory", "200m", "--memory-swap", "300m", "--memory-reservation", "100m"] : [],
            .. controllers.Contains("cpu ", StringComparison.Ordinal) ? (string[])["--cpus", "0.8", "--cpu-shares", "512"] : [],
            .. controllers.Contains("pids", StringComparison.Ordinal) ? (string[])["--pids-limit", "99"] : [],
        ];
        await H1.DockerRunAsync(
            Container,
            [
                .. Network, .. limits,
                "-e", "ONE=1", "-e", "TWO=two words", "--entrypoint", "/bin/sh", "-u", "1000:27", "-w", "/var/tmp", "--group-add", "44",
                "--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE", "--cap-add", "SETUID", "--security-opt", "no-new-privileges",
                "--ulimit", "nofile=500:600", "--ulimit", "core=0", "--oom-score-adj", "500", "--shm-size", "32m",
                "--sysctl", "net.ipv4.ip_unprivileged_port_start=77", "--sysctl", "kernel.msgmax=9000",
                "--label", "a=b", "--label", "c=d e", "--annotation", "x.y=z", "--hostname", "name", "--domainname", "example.org",
                "--health-cmd", "test -e /tmp/healthy", "--health-interval", "1s", "--health-timeout", "3s", "--health-retries", "2",
                "--stop-signal", "SIGUSR1", "--stop-timeout", "4", "--init", "--restart", "on-failure:3",
                "--log-opt", "max-size=1m", "--log-opt", "max-file=3", "--read-only",
                "--tmpfs", "/tmp:rw,size=1m,mode=1777", "--mount", "type=tmpfs,target=/scratch,tmpfs-size=65536",
                "--dns", "10.77.0.9", "--dns-search", "lab.example", "--dns-option", "ndots:3", "--add-host", "other:10.77.0.77",
                "--network-alias", "alias", "--ipc", "private", "--expose", "7777",
                "ctm-small:1", "-c", "touch /tmp/healthy; echo written >/scratch/file; echo started; exec sleep infinity",
            ]);
        await H1.WaitForLogAsync(Container, "started");
        var settings = ContainerSettings.Of((await H1.InspectAsync(Container))!);
        var facts = await FactsAsync(H1);

        (await H1.MigrateAsync(Container, H2)).ShouldBeDone();

        await ShouldHaveSettingsAsync(H2, settings);
        var arrived = await FactsAsync(H2);
        arrived.Except(facts).ShouldBeEmpty();
        facts.Except(arrived).ShouldBeEmpty();
        facts.ShouldContain("TWO=two words");
        facts.ShouldContain("written");
        await ShouldBecomeHealthyAsync(H2);
    }

    private static async Task ShouldHaveSettingsAsync(LabHost host, IReadOnlyList<string> settings)
    {
        var arrived = ContainerSettings.Of((await host.InspectAsync(Container))!);
        arrived.Except(settings).ShouldBeEmpty();
        settings.Except(arrived).ShouldBeEmpty();
    }

    private static async Task ShouldBeDockersOwnAsync(LabHost host)
    {
        (await host.RunAsync("docker", "ps", "--filter", "name=web", "--format", "{{.Names}} {{.State}}")).ShouldBe("web running");
        (await host.RunAsync("docker", "exec", Container, "hostname", "-i")).ShouldContain(NumberServer.IPv4);
        (await host.RunAsync("docker", "top", Container, "-o", "pid,args")).ShouldContain("itertools");
        (await host.RunAsync("docker", "stats", "--no-stream", "--format", "{{.Name}} {{.ID}}", Container)).ShouldStartWith("web ");
        var inspect = (await host.InspectAsync(Container))!;
        (await host.RunAsync("cat", $"/proc/{inspect["State"]!["Pid"]}/cgroup")).Split('\n')
            .ShouldContain(l => l.StartsWith("0::", StringComparison.Ordinal) && l.EndsWith($"/docker/{inspect["Id"]}", StringComparison.Ordinal), "a cgroup of its own");
        await ShouldBecomeHealthyAsync(host);

        var lines = await LogAsync(host);
        await host.WaitForLogAsync(Container, (lines.Count + 20).ToString(CultureInfo.InvariantCulture));
        lines = await LogAsync(host);
        lines.ShouldBe(Enumerable.Range(1, lines.Count).Select(n => n.ToString(CultureInfo.InvariantCulture)), "the log since the first start");
    }

    private static async Task<IReadOnlyList<string>> LogAsync(LabHost host) => (await host.TryAsync("docker", "logs", Container)).Checked().Lines;

    // By a probe that this host has started.
    private static async Task ShouldBecomeHealthyAsync(LabHost host)
    {
        var since = DateTimeOffset.UtcNow;
        await Eventually.BecomesTrueAsync($"a probe on {host.Name} finds it healthy", async () =>
        {
            var health = (await host.InspectAsync(Container))!["State"]!["Health"]!;
            return health["Status"]!.GetValue<string>() == "healthy"
                && health["Log"] is JsonArray { Count: > 0 } log
                && DateTimeOffset.Parse(log[^1]!["Start"]!.GetValue<string>(), CultureInfo.InvariantCulture) > since;
        });
    }

    private static async Task ShouldBeRestartedWhenItDiesAsync(LabHost host)
    {
        await host.RunAsync("kill", "-KILL", (await host.InspectAsync(Container))!["State"]!["Pid"]!.ToJsonString());
        await Eventually.BecomesTrueAsync("its restart policy starts it again", async () =>
            (await host.InspectAsync(Container))! is var inspect
            && inspect["RestartCount"]!.GetValue<int>() == 1 && inspect["State"]!["Status"]!.GetValue<string>() == "running");
    }

    // What the kernel knows of process 1, and what it sees.
    private static async Task<IReadOnlyList<string>> FactsAsync(LabHost host) => (await host.ShellAsync("""
        init=$(docker inspect -f '{{.State.Pid}}' web)
        for process in $init $(cat /proc/$init/task/$init/children); do
          tr '\0' '\n' </proc/$process/cmdline
          tr '\0' '\n' </proc/$process/environ
          grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Umask)' /proc/$process/status
          cat /proc/$process/limits /proc/$process/oom_score_adj
        done
        nsenter -t $init -m -u -i -n -w sh -c '
          hostname -f
          cat /etc/hosts /scratch/file
          grep -v "^#" /etc/resolv.conf
          cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax
          pwd
          while read -r _ path type options _; do
            [ $type != overlay ] || options=${options%%,*}
            case $path in /dev/mqueue | /dev/pts | /proc* | /sys*) ;; *) echo "$path $type $options" ;; esac
          done </proc/1/mounts | grep -vE " (ext4|xfs|btrfs) "'
        """)).Split('\n');
}
