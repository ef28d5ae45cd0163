using System.Text.RegularExpressions;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>Files outside of the container, in volumes and in directories of the host, go along while they are written; nothing that the destination has is touched.</summary>
public sealed partial class VolumeTests(LabFixture lab) : HostTest(lab)
{
    private const string Container = "keeper";

    [Theory]
    [InlineData("docker", "named:/named", "/anonymous", "/srv/fire/data:/bound")]
    [InlineData("runc", "/srv/fire/data:/bound")]
    public async Task EveryFileIsWhatItWasThereAndBack(string runtime, params string[] volumes)
    {
        string[] targets = [.. volumes.Select(v => v[(v.LastIndexOf(':') + 1)..])];
        await H1.ShellAsync("mkdir -p /srv/fire/data; chown 1234:4321 /srv/fire/data; chmod 2770 /srv/fire/data");
        // Each in a process of its own: names are linked and renamed within one file system.
        const string All = "program=$0 port=9100; for root; do ROOT=$root PORT=$port python3 -u -c \"$program\" & port=$((port + 1)); done; wait";
        await LabContainer.StartAsync(H1, runtime, Container, "ctm-small:1", ["sh", "-c", All, FireProgram.Text, .. targets], volumes, []);
        var clients = await Task.WhenAll(targets.Select((_, i) => FireClient.ConnectAsync(Client, 9100 + i)));
        try
        {
            await Task.Delay(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken); // some hundred files each
            foreach (var (from, to) in ((LabHost, LabHost)[])[(H1, H2), (H2, H1)])
            {
                var moved = await from.MigrateAsync(Container, to);
                moved.ShouldBeDone();
                moved.FilesInPauseBytes.ShouldBeInRange(0, moved.FilesAheadBytes / 2);

                await Task.WhenAll(clients.Select(c => c.ShouldFindAllRightAsync()));
                (await to.RunAsync("stat", "-c", "%u %g %a", "/srv/fire/data")).ShouldBe("1234 4321 2770");
                (await from.ShellAsync("docker volume ls -q; ls /srv/fire")).ShouldBeEmpty("what the source has kept");
                await from.RunAsync("rmdir", "/srv/fire");
            }
        }
        finally
        {
            foreach (var client in clients)
            {
                await client.DisposeAsync();
            }
        }
    }

    [Theory]
    [InlineData("data:/data", "docker volume create data >/dev/null; echo old >/var/lib/docker/volumes/data/_data/file", "/var/lib/docker/volumes/data/_data", "volume data exists here and is not empty")]
    [InlineData("/srv/data:/data", "mkdir /srv/data; echo old >/srv/data/file", "/srv/data", "/srv/data exists here and is not empty")]
    public async Task WhatTheDestinationHasIsReplacedOnlyWhenTheOperatorSaysSo(string volume, string make, string directory, string reason)
    {
        await StartWriterAsync(volume);
        await H2.ShellAsync(make);
        var there = await H2.LeftoversAsync();

        var refused = await H1.MigrateAsync(Container, H2);
        refused.ExitCode.ShouldBe(10);
        refused.ErrorLines.ShouldContain(l => l.StartsWith($"ctmigrate: h2: mounts: /data: {reason}", StringComparison.Ordinal));
        (await H2.RunAsync("cat", directory + "/file")).ShouldBe("old");

        await using (var held = await HoldAsync("--volume", "/data=replace"))
        {
            (await H2.RunAsync("ls", "-A", directory)).ShouldNotContain("file");
            held.Interrupt();
            (await held.EndAsync()).ShouldHaveBeenCancelled("pre-copy");
        }

        await ShouldBeAsBeforeAsync(H2, there);
        (await H2.RunAsync("cat", directory + "/file")).ShouldBe("old");

        await CrawlingLink.EndAsync(H1);
        (await H1.MigrateAsync(Container, H2, "--volume", "/data=replace")).ShouldBeDone();
        (await H2.RunAsync("ls", "-A", directory)).ShouldBe("big\nlog");
        (await H2.ShellAsync($"ls -d {directory}*")).ShouldBe(directory, "what was put aside");
    }

    [Fact]
    public async Task EmptyDirectoryThatWasThereIsFilledAndGivenBack()
    {
        await StartWriterAsync("/srv/data:/data");
        await H2.ShellAsync("mkdir /srv/data; chown 77:88 /srv/data; chmod 701 /srv/data");
        await using (var held = await HoldAsync())
        {
            await Eventually.BecomesTrueAsync("a file is there", async () => await H2.RunAsync("ls", "/srv/data") != "");
            held.Interrupt();
            (await held.EndAsync()).ShouldHaveBeenCancelled("pre-copy");
        }

        (await H2.ShellAsync("stat -c '%u %g %a' /srv/data; ls -A /srv/data")).ShouldBe("77 88 701");
        await CrawlingLink.EndAsync(H1);
        (await H1.MigrateAsync(Container, H2)).ShouldBeDone();
    }

    [Fact]
    public async Task DestinationWithoutRoomIsRefusedAndAFullOneRollsBack()
    {
        await StartWriterAsync("/srv/small/data:/data");
        await H2.RunAsync("mkdir", "/srv/small");
        await MountAsync(H2, "-t tmpfs -o size=24m tmpfs", "/srv/small");
        var refused = await H1.MigrateAsync(Container, H2);
        refused.ExitCode.ShouldBe(10);
        refused.ErrorLines.ShouldContain(l => l.Contains("h2: disk: not enough room for /data: 24 MiB free", StringComparison.Ordinal));

        await H2.RunAsync("mount", "-o", "remount,size=40m", "/srv/small");
        await using (var held = await HoldAsync())
        {
            await H2.RunAsync("mount", "-o", "remount,size=14m", "/srv/small");
            await CrawlingLink.EndAsync(H1);
            (await held.EndAsync()).ShouldHaveFailed(H2, "transfer", "o space left", "/srv/small/data"); // said by the watch, or by the file system that was quicker
        }

        (await H2.RunAsync("ls", "-A", "/srv/small")).ShouldBeEmpty();
        (await H1.StateAsync(Container)).ShouldBe("running");
    }

    [Theory]
    [InlineData("data:/data")]
    [InlineData("/data")]
    [InlineData("/srv/deep/data:/data")]
    public async Task DaemonThatIsKilledLeavesNothing(string volume)
    {
        var there = await H2.LeftoversAsync();
        await StartWriterAsync(volume);
        AtTheEnd(() => H2.DaemonAsync("start"));
        await using (var held = await HoldAsync())
        {
            (await H2.LeftoversAsync()).DifferenceTo(there).ShouldContain(l => l.StartsWith("+ volume", StringComparison.Ordinal) || l == "+ served /srv/deep/data");
            await H2.DaemonAsync("kill");
            (await held.EndAsync()).ShouldHaveFailed(H2, "pre-copy", "h2 does not answer");
        }

        await H2.DaemonAsync("start");
        await ShouldBeAsBeforeAsync(H2, there);
        await CrawlingLink.EndAsync(H1);
        (await H1.MigrateAsync(Container, H2)).ShouldBeDone();
    }

    [Theory]
    [InlineData("data:/data", "data:/theirs:ro")]
    [InlineData("/srv/data:/data", "/srv:/theirs")]
    public async Task VolumeOfAnotherRunningContainerIsRefused(string volume, string other)
    {
        await StartWriterAsync(volume);
        await H1.DockerRunAsync("other", "--network", "none", "-v", other, "ctm-small:1", "sleep", "infinity");
        var refused = await H1.MigrateAsync(Container, H2);
        refused.ExitCode.ShouldBe(10);
        refused.ErrorLines.ShouldContain(l => l.StartsWith("ctmigrate: h1: mounts: /data ", StringComparison.Ordinal) && l.Contains("in use by container other", StringComparison.Ordinal));

        await H1.RunAsync("docker", "stop", "-t", "0", "other");
        (await H1.MigrateAsync(Container, H2)).ShouldBeDone();
    }

    [Fact]
    public async Task OperatorsWordAboutAMountIsKept()
    {
        await H1.ShellAsync("mkdir -p /srv/left /srv/fresh; echo mine | tee /srv/left/file >/srv/fresh/file");
        await H2.ShellAsync("mkdir -p /srv/left; echo theirs >/srv/left/file");
        await H1.DockerRunAsync(
            Container, "--network", "lan", "--ip", LabContainer.IPv4, "-v", "/srv/left:/left", "-v", "/srv/fresh:/fresh", "-v", "/etc/passwd:/same:ro", "--tmpfs", "/memory", "ctm-small:1", "sleep", "infinity");
        var shared = await H1.MigrateAsync(Container, H2, "--volume", "/left=shared", "--volume", "/fresh=empty");
        shared.ErrorLines.ShouldContain(l => l.StartsWith("ctmigrate: h2: mounts: /left: /srv/left here is not the one of the source", StringComparison.Ordinal));
        var check = Spaces().Replace(await H1.RunAsync("ctmigrate", "check", Container, H2.Name, "--volume", "/left=skip", "--volume", "/fresh=empty"), " ");
        string[] lines =
        [
            "bind /left (/srv/left) as it is on the destination", "bind /fresh (/srv/fresh) empty on the destination",
            "bind /same (/etc/passwd) the same on both hosts: nothing to copy", "tmpfs /memory goes with the container's memory",
        ];
        foreach (var line in lines)
        {
            check.ShouldContain(line);
        }

        (await H1.MigrateAsync(Container, H2, "--volume", "/left=skip", "--volume", "/fresh=empty")).ShouldBeDone();

        (await H2.RunAsync("docker", "exec", Container, "sh", "-c", "cat /left/file; ls -A /fresh")).ShouldBe("theirs");
        (await H1.ShellAsync("cat /srv/left/file /srv/fresh/file")).ShouldBe("mine\nmine", "nothing of it has gone");
    }

    [Theory]
    [InlineData("docker", "/srv/app/state:/state", "/srv/app/site.conf:/etc/site.conf:ro")]
    [InlineData("runc", "/srv/app/state:/state")]
    public async Task SingleFilesGoAlong(string runtime, params string[] volumes)
    {
        AtTheEnd(() => CrawlingLink.EndAsync(H1));
        await H1.ShellAsync("mkdir /srv/app; cd /srv/app; echo setting >site.conf; head -c 16M /dev/urandom >state; chown 77:88 state; chmod 640 state; echo other >other");
        const string Write = """
            import os, time
            state = os.open("/state", os.O_RDWR)
            number = 0
            while True:
                number += 1
                os.pwrite(state, b"%08d" % number, 0)
                time.sleep(0.02)
            """;
        await LabContainer.StartAsync(H1, runtime, Container, "ctm-small:1", ["python3", "-c", Write], volumes, []);
        var there = await H2.LeftoversAsync();
        await H2.ShellAsync("mkdir -p /srv/app; echo another >/srv/app/state");
        var refused = await H1.MigrateAsync(Container, H2);
        refused.ExitCode.ShouldBe(10);
        refused.ErrorLines.ShouldContain(l => l.StartsWith("ctmigrate: h2: mounts: /state: /srv/app/state is another one here", StringComparison.Ordinal));
        await H2.RunAsync("rm", "-r", "/srv/app");
        await using (var held = await HoldAsync())
        {
            (await H2.RunAsync("stat", "-c", "%s", "/srv/app/state")).ShouldBe("0", "until all of it has arrived");
            held.Interrupt();
            (await held.EndAsync()).ShouldHaveBeenCancelled("pre-copy");
        }

        await ShouldBeAsBeforeAsync(H2, there);
        await CrawlingLink.EndAsync(H1);
        foreach (var (from, to) in ((LabHost, LabHost)[])[(H1, H2), (H2, H1)])
        {
            var rest = await from.ShellAsync("tail -c +9 /srv/app/state | sha256sum");
            (await from.MigrateAsync(Container, to)).ShouldBeDone();
            (await to.ShellAsync("tail -c +9 /srv/app/state | sha256sum; stat -c '%u %g %a %h' /srv/app/state")).ShouldBe($"{rest}\n77 88 640 1");
            var number = int.Parse(await to.RunAsync("head", "-c", "8", "/srv/app/state"), System.Globalization.CultureInfo.InvariantCulture);
            await Eventually.BecomesTrueAsync("it goes on writing there", async () => int.Parse(await to.RunAsync("head", "-c", "8", "/srv/app/state"), System.Globalization.CultureInfo.InvariantCulture) > number);
            (await to.ShellAsync("ls -A /srv/app")).ShouldBe(to == H1 ? "other\nsite.conf\nstate" : volumes.Length == 1 ? "state" : "site.conf\nstate");
            (await from.ShellAsync("ls /srv/app/state 2>/dev/null || true")).ShouldBeEmpty("what the container wrote to goes with it");
        }
    }

    [Fact]
    public async Task StorageThatBothHostsSeeStaysWhereItIs()
    {
        await SharedAsync("up");
        AtTheEnd(() => SharedAsync("down"));
        await StartWriterAsync("/srv/shared:/data", mebibytes: 1);
        (await H1.RunAsync("ctmigrate", "check", Container, H2.Name)).ShouldContain("shared by both hosts: nothing to copy");

        // On any file system; nobody has to say it.
        foreach (var (from, to, words) in ((LabHost, LabHost, string[])[])[(H1, H2, []), (H2, H1, ["--volume", "/data=shared"])])
        {
            var moved = await from.MigrateAsync(Container, to, words);
            moved.ShouldBeDone();
            var size = await from.RunAsync("stat", "-c", "%s", "/srv/shared/log");
            await Eventually.BecomesTrueAsync("it goes on writing", async () => await from.RunAsync("stat", "-c", "%s", "/srv/shared/log") != size);
            (await from.RunAsync("ls", "-A", "/srv/shared")).ShouldBe("big\nlog");
        }

        async Task SharedAsync(string verb)
        {
            await using var shared = new LabProcess(LabFixture.Program("shared"), [verb, "/srv/shared"]);
            (await shared.WaitAsync(TimeSpan.FromSeconds(30))).Checked();
        }
    }

    [GeneratedRegex(" +")]
    private static partial Regex Spaces();

    // Writes a line each moment, and has something besides.
    private async Task StartWriterAsync(string volume, int mebibytes = 16)
    {
        AtTheEnd(() => CrawlingLink.EndAsync(H1));
        if (volume.StartsWith("/srv", StringComparison.Ordinal))
        {
            await H1.RunAsync("mkdir", "-p", volume.Split(':')[0]);
        }

        const string Write = """
            import os, sys, time
            open("/data/big", "wb").write(os.urandom(int(sys.argv[1]) << 20))
            print("ready", flush=True)
            while True:
                open("/data/log", "a").write("line\n")
                time.sleep(0.05)
            """;
        await LabContainer.StartAsync(H1, "docker", Container, "ctm-small:1", ["python3", "-c", Write, $"{mebibytes}"], [volume], []);
        await H1.WaitForLogAsync(Container, "ready");
    }

    /// <summary>Starts to move it, and returns while its volume is on the way, which takes seconds.</summary>
    private async Task<RunningMigration> HoldAsync(params string[] options)
    {
        await CrawlingLink.BeginAsync(H1);
        var migration = await RunningMigration.StartAsync(H1, Container, H2, options);
        await migration.SendsFilesAsync();
        return migration;
    }
}
