using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>
/// A container that writes faster than the link carries, moved with <c>--on-stall throttle</c>. Where the machine has no cpu controller in its
/// cgroup v2 tree, as where root shares it with cgroup v1, that it is refused and says so.
/// </summary>
[Trait("docker", "any")]
public sealed class ThrottleTests(LabFixture lab) : HostTest(lab)
{
    private const string Container = "web";
    private const string Limit = "150000 100000";

    [Fact]
    public async Task IsSlowedDownUntilItConvergesAndArrivesWithWhatItHad()
    {
        if (await StartAsync())
        {
            var outcome = await H1.MigrateAsync(Container, H2, "--on-stall", "throttle", "--max-downtime", "900ms");

            outcome.ShouldBeDone();
            outcome.ToString().ShouldContain("slowed down to");
            (await ReadLimitAsync(H2)).ShouldBe(Limit);
        }
        else
        {
            await ShouldBeRefusedAsync();
        }
    }

    [Theory]
    [InlineData("cancel")]
    [InlineData("kill")]
    public async Task GetsBackWhatItHadWhenTheMigrationEnds(string how)
    {
        if (!await StartAsync())
        {
            await ShouldBeRefusedAsync();
            return;
        }

        await using var process = H1.Start("ctmigrate", "migrate", Container, H2.Name, "--json", "--on-stall", "throttle", "--max-downtime", "100ms");
        await process.WaitForOutputAsync(line => line.Contains("slowed down to", StringComparison.Ordinal), TimeSpan.FromSeconds(60));
        (await ReadLimitAsync(H1)).ShouldNotBe(Limit);
        if (how == "cancel")
        {
            process.Interrupt();
        }
        else
        {
            await H1.DaemonAsync("kill");
            await H1.DaemonAsync("start");
        }

        await process.WaitAsync(TimeSpan.FromSeconds(30));
        await Eventually.BecomesTrueAsync("it has its processor time back", async () => await ReadLimitAsync(H1) == Limit);
        (await H1.StateAsync(Container)).ShouldBe("running");
    }

    /// <returns>False where nobody can limit a container's processor time.</returns>
    private async Task<bool> StartAsync()
    {
        await LimitBandwidthAsync(H1, "100Mbit");
        await H1.DockerRunAsync(Container, "--network", "lan", "--ip", LabContainer.IPv4, "-e", "MEMORY=48", "-e", "DIRTY=40", "ctm-small:1");
        await H1.WaitForLogAsync(Container, "listening");
        return await H1.ShellAsync($"d=$({CgroupOf}); [ ! -e $d/cpu.max ] || {{ echo {Limit} >$d/cpu.max; echo limited; }}") == "limited";
    }

    private async Task ShouldBeRefusedAsync()
    {
        var outcome = await H1.MigrateAsync(Container, H2, "--on-stall", "throttle");

        outcome.ExitCode.ShouldBe(10, outcome.ToString());
        outcome.ErrorLines.ShouldContain(l => l.Contains("throttle: the container cannot be slowed down", StringComparison.Ordinal) && l.Contains("no cpu.max", StringComparison.Ordinal), outcome.ToString());
        outcome.ErrorLines.ShouldContain(l => l.Contains("cgroup v2 alone", StringComparison.Ordinal), outcome.ToString());
        (await H1.StateAsync(Container)).ShouldBe("running");
    }

    private static string CgroupOf => $"echo /sys/fs/cgroup$(sed -n s/^0:://p /proc/$(docker inspect -f '{{{{.State.Pid}}}}' {Container})/cgroup)";

    private static Task<string> ReadLimitAsync(LabHost host) => host.ShellAsync($"cat $({CgroupOf})/cpu.max");
}
