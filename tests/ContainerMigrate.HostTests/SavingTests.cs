using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>Containers in files: they go on where they were, also after a power cut of the host, and no damaged file becomes one.</summary>
[Trait("docker", "any")]
public sealed class SavingTests(LabFixture lab) : HostTest(lab)
{
    private const string Directory = "/var/tmp/saved";

    // Counts in memory, and writes what it has come to into its log, its layer and a volume.
    private const string Program = "i=0; while :; do i=$((i+1)); echo $i; echo $i >>/data/n; echo $i >>/root/n; sleep 0.1; done";

    [Fact]
    public async Task GoesOnAfterAReboot()
    {
        await StartAsync("--restart", "always");
        await H1.WaitForLogAsync("counter", "10");

        (await H1.RunAsync("ctmigrate", "save", "counter", $"{Directory}/counter.ctm", "--passphrase-file", $"{Directory}/passphrase")).ShouldContain("all of it is in");
        (await H1.StateAsync("counter")).ShouldBe("absent");
        (await H1.ShellAsync("docker volume ls -q")).ShouldBeEmpty("what the host has kept");
        (await H1.RunAsync("stat", "-c", "%a %U", $"{Directory}/counter.ctm")).ShouldBe("600 root");
        (await H1.RunAsync("ls", Directory)).ShouldBe("counter.ctm\npassphrase");
        await LabFixture.LabAsync("reboot", H1.Name);
        (await H1.TryAsync("ctmigrate", "restore", $"{Directory}/counter.ctm")).ExitCode.ShouldBe(10, "without the passphrase");

        (await H1.RunAsync("ctmigrate", "restore", $"{Directory}/counter.ctm", "--passphrase-file", $"{Directory}/passphrase")).ShouldContain("counter runs on h1");

        var last = int.Parse((await H1.RunAsync("docker", "logs", "--tail", "1", "counter")).Trim());
        await H1.WaitForLogAsync("counter", $"{last + 10}");
        foreach (var numbers in (string[])["docker logs counter", "docker exec counter cat /data/n", "docker exec counter cat /root/n"])
        {
            var lines = (await H1.ShellAsync(numbers)).Split('\n').Select(int.Parse).ToList();
            lines.ShouldBe(Enumerable.Range(1, lines.Count), numbers);
        }

        (await H1.InspectAsync("counter"))!["HostConfig"]!["RestartPolicy"]!["Name"]!.GetValue<string>().ShouldBe("always");
    }

    [Fact]
    public async Task LeavesItRunningAndRefusesADamagedFile()
    {
        var server = await NumberServer.StartAsync(H1);
        await using var clients = await NumberClients.ConnectAsync(Client);
        await H1.ShellAsync($"mkdir -p {Directory}");
        AtTheEnd(() => H1.ShellAsync($"rm -rf {Directory}"));
        var file = $"{Directory}/web.ctm";

        await H1.RunAsync("ctmigrate", "save", "web", file, "--leave-running");

        await server.ShouldRunOnAsync(H1);
        await H1.RunAsync("ctmigrate", "verify", file);
        (await H1.TryAsync("ctmigrate", "save", "web", file, "--leave-running")).ExitCode.ShouldBe(10, "there is such a file");
        (await H1.TryAsync("ctmigrate", "restore", file)).Error.ShouldContain("a container named web exists here");
        (await H1.TryAsync("ctmigrate", "restore", file, "--as", "web2")).Error.ShouldContain("10.77.0.50");
        await clients.ShouldBeCompleteAsync();

        await H1.RunAsync("docker", "rm", "-f", "web");
        var size = long.Parse(await H1.RunAsync("stat", "-c", "%s", file));
        foreach (var offset in (long[])[90, 200, size / 3, size / 2, size - 3])
        {
            await H1.ShellAsync($"""
                cp {file} {file}.bad
                byte=$(dd if={file} bs=1 skip={offset} count=1 2>/dev/null | od -An -tu1)
                printf "\\$(printf %o $((byte ^ 4)))" | dd of={file}.bad bs=1 seek={offset} conv=notrunc 2>/dev/null
                """);
            (await H1.TryAsync("ctmigrate", "verify", file + ".bad")).ExitCode.ShouldBe(10, $"a bit at {offset}");
            (await H1.TryAsync("ctmigrate", "restore", file + ".bad")).ExitCode.ShouldBe(10, $"a bit at {offset}");
        }

        (await H1.ShellAsync("docker ps -aq")).ShouldBeEmpty("what damaged files have become");
        await H1.RunAsync("ctmigrate", "restore", file, "--as", "web2");
        (await H1.StateAsync("web2")).ShouldBe("running");
    }

    private async Task StartAsync(params string[] options)
    {
        await H1.ShellAsync($"mkdir -p {Directory}; echo correct horse battery staple >{Directory}/passphrase");
        AtTheEnd(() => H1.ShellAsync($"rm -rf {Directory}"));
        await H1.DockerRunAsync("counter", ["--network", "lan", "--ip", "10.77.0.62", "-v", "data:/data", .. options, "ctm-small:1", "sh", "-c", Program]);
    }
}
