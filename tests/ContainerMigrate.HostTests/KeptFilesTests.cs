using System.Globalization;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>What had arrived of a container's files when a migration with `--keep-dest` ended half way is not sent again.</summary>
[Trait("docker", "any")]
public sealed class KeptFilesTests(LabFixture lab) : HostTest(lab)
{
    private const string Container = "keeper";
    private const int Mebibytes = 48;

    private const string Program = """
        import os, time
        for name in ("/data/big", "/own"):
            with open(name, "wb") as file: file.write(os.urandom(48 << 20 if name == "/data/big" else 1 << 20))
        print("ready", flush=True)
        while True:
            open("/data/log", "a").write("line\n")
            time.sleep(0.05)
        """;

    [Theory]
    [InlineData("docker", "data:/data", "/var/lib/docker/volumes/data/_data", "kill")]
    [InlineData("docker", "/srv/data:/data", "/srv/data", "cancel")]
    [InlineData("runc", "/srv/data:/data", "/srv/data", "cut")]
    public async Task OnlyTheRestIsSent(string runtime, string volume, string directory, string how)
    {
        AtTheEnd(() => CrawlingLink.EndAsync(H1));
        await H1.RunAsync("mkdir", "-p", "/srv/data");
        await LabContainer.StartAsync(H1, runtime, Container, "ctm-small:1", ["python3", "-u", "-c", Program], [volume], []);
        await Eventually.BecomesTrueAsync("its files are written", async () => (await H1.TryAsync("ls", $"{directory}/log")).ExitCode == 0);
        var sum = await H1.RunAsync("sha256sum", $"{directory}/big");
        var rootBytes = runtime == "docker" ? 0 : long.Parse((await H1.ShellAsync($"du -sb /var/lib/bundles/{Container}/rootfs")).Split('\t')[0], CultureInfo.InvariantCulture);
        var there = await H2.LeftoversAsync();

        await BreakOffAsync(directory, how);

        (await H2.ShellAsync($"ls -d {directory} 2>/dev/null || true")).ShouldBeEmpty();
        await Eventually.BecomesTrueAsync("nothing else is left", async () => (await H2.LeftoversAsync()).DifferenceTo(there).All(l => l.Contains("/ctmigrate/kept", StringComparison.Ordinal)), TimeSpan.FromSeconds(10));
        var check = await H1.RunAsync("ctmigrate", "check", Container, H2.Name);
        check.ShouldContain("of its files are kept of an earlier attempt");

        // It changes nothing for others, and a block that went bad there is found out about.
        var kept = (await H2.ShellAsync("find /var/lib/ctmigrate/kept /var/lib/docker/.ctmigrate-kept -name big -printf '%p %s\\n' 2>/dev/null || true")).Split(' ');
        var bytes = long.Parse(kept[1], CultureInfo.InvariantCulture);
        bytes.ShouldBeGreaterThan(4 << 20);
        await H2.ShellAsync($"printf spoilt | dd of={kept[0]} bs=1 seek=100000 conv=notrunc 2>/dev/null");

        var moved = await H1.MigrateAsync(Container, H2);
        moved.ShouldBeDone();
        moved.FilesAheadBytes.ShouldBeLessThan(((Mebibytes + 2L) << 20) + rootBytes - bytes + (1 << 20));
        (await H2.RunAsync("sha256sum", $"{directory}/big")).ShouldBe(sum);
        (await H2.ShellAsync("ls -d /var/lib/ctmigrate/kept /var/lib/docker/.ctmigrate-kept 2>/dev/null || true")).ShouldBeEmpty();
    }

    // In the middle of the first copy.
    private async Task BreakOffAsync(string directory, string how)
    {
        await CrawlingLink.BeginAsync(H1);
        await using var migration = await RunningMigration.StartAsync(H1, Container, H2, "--keep-dest");
        await Eventually.BecomesTrueAsync(
            "some of it has arrived", async () => long.TryParse((await H2.TryAsync("stat", "-c", "%s", $"{directory}/big")).Text, CultureInfo.InvariantCulture, out var size) && size > 5 << 20, TimeSpan.FromSeconds(40));
        switch (how)
        {
            case "kill":
                await H2.DaemonAsync("kill");
                (await migration.EndAsync()).ExitCode.ShouldBe(20);
                await H2.DaemonAsync("start");
                break;
            case "cut":
                AtTheEnd(() => CutLink.EndAsync(H1));
                await CutLink.BeginAsync(H1);
                migration.Interrupt();
                (await migration.EndAsync()).ExitCode.ShouldBe(21);
                await CutLink.EndAsync(H1);
                break;
            default:
                migration.Interrupt();
                var cancelled = await migration.EndAsync();
                cancelled.ShouldHaveBeenCancelled("pre-copy");
                cancelled.ErrorLines.ShouldContain(l => l.Contains(" as before; nothing but ", StringComparison.Ordinal) && l.Contains(" of its files is kept on h2, for a day", StringComparison.Ordinal), cancelled.ToString());
                cancelled.ErrorLines.ShouldNotContain(l => l.Contains("nothing is left", StringComparison.Ordinal));
                break;
        }

        await CrawlingLink.EndAsync(H1);
        await Eventually.BecomesTrueAsync("h2 has given up", async () => (await H2.ShellAsync("ls /var/lib/ctmigrate/kept/*.json 2>/dev/null || true")) != "" && (await H2.TryAsync("ls", directory)).ExitCode != 0, TimeSpan.FromSeconds(60));
    }
}
