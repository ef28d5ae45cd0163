using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>
/// A program that writes, maps, unmaps and forks without end, and knows what each of its pages must hold, runs on the destination before all of
/// its memory is there. Where something has to happen in the middle, the link carries 12 MB/s.
/// </summary>
[Trait("docker", "any")]
public sealed class PostCopyTests(LabFixture lab) : HostTest(lab)
{
    private const string Container = "fire";
    private static readonly string[] Fire = ["python3", "/app/fire.py"];
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("docker", 4)]
    [InlineData("runc", 2)]
    public async Task NoByteIsWrongThereAndBack(string runtime, int moves)
    {
        var container = await LabContainer.StartAsync(H1, runtime, Container, "ctm-small:1", Fire, "MEMORY=48", "DIRTY=60");
        await using var client = await ConnectAsync();
        var (from, to) = (H1, H2);
        for (var move = 1; move <= moves; move++)
        {
            var moved = await from.MigrateAsync($"{runtime}:{Container}", to, "--mode", "postcopy");
            moved.ShouldBeDone();
            moved.PostCopyBytes.ShouldBeGreaterThan(0, moved.ToString());
            await ShouldBeRightAsync(client, move);
            await container.ShouldHaveMovedAsync(from, to);
            (from, to) = (to, from);
        }
    }

    [Fact]
    public async Task ACutLinkPausesTheContainerUntilItIsBack()
    {
        await using var client = await StartSlowlyAsync();
        await using var migration = await StartAsync();
        (await H2.TryAsync("ctmigrate", "migrate", Container, "h1")).Error.ShouldContain("of its memory are still on h1");
        await CutLink.BeginAsync(H2);
        AtTheEnd(() => CutLink.EndAsync(H2));

        var outcome = await migration.EndAsync();

        outcome.ExitCode.ShouldBe(31, outcome.ToString());
        outcome.ErrorLines.ShouldContain(l => l.Contains("post-copy: paused", StringComparison.Ordinal), outcome.ToString());
        outcome.ErrorLines.ShouldContain(l => l.StartsWith("  next: it goes on by itself", StringComparison.Ordinal) && l.Contains("ctmigrate watch", StringComparison.Ordinal), outcome.ToString());
        await Eventually.BecomesTrueAsync("the container stands still", async () => await H2.ShellAsync($"cat $({CgroupOf})/cgroup.freeze") == "1");
        foreach (var host in new[] { H1, H2 })
        {
            (await host.RunAsync("ctmigrate", "status", migration.Id)).ShouldContain("post-copy paused");
        }

        // Nothing gives it up, and nothing lets a second one run.
        (await H1.TryAsync("ctmigrate", "cancel", migration.Id)).Error.ShouldContain("runs on h2 already");
        (await H1.ShellAsync($"cat $({CgroupOf})/cgroup.freeze")).ShouldBe("1");

        await CutLink.EndAsync(H2);

        (await H1.TryAsync(["ctmigrate", "watch", migration.Id], Patience)).ExitCode.ShouldBe(0);
        (await H2.ShellAsync($"cat $({CgroupOf})/cgroup.freeze")).ShouldBe("0");
        await ShouldBeRightAsync(client, 1);
        (await H1.StateAsync(Container)).ShouldBe("absent");
    }

    [Theory]
    [InlineData("source")]
    [InlineData("destination")]
    [InlineData("server")]
    public async Task WhateverIsKilledMeanwhileNoByteIsWrong(string what)
    {
        await using var client = await StartSlowlyAsync();
        await using var migration = await StartAsync();
        if (what == "server")
        {
            await H2.ShellAsync("""
                for process in /proc/[0-9]*; do
                    if [ "$process/ns/net" -ef /proc/self/ns/net ] && tr '\0' ' ' <"$process/cmdline" | grep -q '^[^ ]*ctmigrated lazy-pages '; then kill -KILL "${process#/proc/}"; fi
                done
                """);
        }
        else
        {
            var host = what == "source" ? H1 : H2;
            await host.DaemonAsync("kill");
            await host.DaemonAsync("start");
        }

        var outcome = await migration.EndAsync();

        outcome.ExitCode.ShouldBe(0, outcome.ToString());
        await ShouldBeRightAsync(client, 1);
        (await H1.StateAsync(Container)).ShouldBe("absent");
        (await H2.StateAsync(Container)).ShouldBe("running");
    }

    [Fact]
    public async Task WhatCannotBeCopiedAheadFollowsWhereTheOperatorWantsThat()
    {
        await using var client = await StartSlowlyAsync();

        var outcome = await H1.MigrateAsync(Container, H2, "--on-stall", "postcopy", "--max-downtime", "400ms");

        outcome.ShouldBeDone();
        outcome.Rounds.ShouldBeGreaterThan(1);
        outcome.PostCopyBytes.ShouldBeGreaterThan(0, outcome.ToString());
        await ShouldBeRightAsync(client, 1);
    }

    private static string CgroupOf => $"echo /sys/fs/cgroup$(sed -n s/^0:://p /proc/$(docker inspect -f '{{{{.State.Pid}}}}' {Container})/cgroup)";

    private async Task<RunningMigration> StartAsync()
    {
        var migration = await RunningMigration.StartAsync(H1, Container, H2, "--mode", "postcopy");
        await migration.ReachesAsync(MigrationStage.PostCopy);
        return migration;
    }

    private async Task<LabProcess> StartSlowlyAsync()
    {
        await LimitBandwidthAsync(H1, "100Mbit");
        await H1.DockerRunAsync(Container, "--network", "lan", "--ip", LabContainer.IPv4, "-e", "MEMORY=64", "-e", "DIRTY=60", "ctm-small:1", Fire[0], Fire[1]);
        return await ConnectAsync();
    }

    private Task<LabProcess> ConnectAsync() => Endurance.AskAsync(Client, LabContainer.IPv4, Patience);

    private static async Task ShouldBeRightAsync(LabProcess client, int look)
    {
        var number = $"{look} ";
        await client.Input.WriteLineAsync("look");
        var answer = await client.WaitForOutputAsync(l => l.StartsWith(number, StringComparison.Ordinal), Patience);
        answer.TrimEnd().ShouldBe($"{look} right");
    }
}
