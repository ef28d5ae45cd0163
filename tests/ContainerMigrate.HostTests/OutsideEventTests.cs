using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>
/// Somebody else ends, restarts or removes the container in the middle of its migration, or its program ends: the migration gives up and says so, nothing is left of it on
/// either host, and a container of that name can be moved afterwards.
/// </summary>
[Trait("docker", "any")]
public sealed class OutsideEventTests(LabFixture lab) : HostTest(lab)
{
    private const string Ended = "the container has ended by itself, or was ended: ";

    private const string Killed = Ended + "exit code 137";

    [Theory]
    [InlineData(MigrationStage.PreCopy, "docker kill web", "exited", Killed)]
    [InlineData(MigrationStage.PreCopy, "docker rm -f web", "absent", Ended + "it was removed")]
    [InlineData(MigrationStage.PreCopy, "docker restart -t 0 web", "running", "the container was restarted meanwhile")]
    [InlineData(MigrationStage.Switchover, "docker kill web", "exited", Killed)]
    [InlineData(MigrationStage.Switchover, "docker rm -f web", "absent", Ended + "it was removed")]
    [InlineData(MigrationStage.Switchover, "docker restart -t 0 web", "running", "the container was restarted meanwhile")]
    public async Task SomebodyUsesDocker(MigrationStage stage, string command, string afterwards, string cause)
    {
        var server = await NumberServer.StartAsync(H1);
        var outcome = await HeldAsync(stage, server, async () => Measured.Write((await H1.TryAsync("sh", "-c", command + " 2>&1")).Output));
        var state = await H1.StateAsync(server.Name);
        if (stage == MigrationStage.Switchover && afterwards == "running" && state == "exited")
        {
            // As long as it is being handed over nobody may start it: dockerd has killed it, and was refused.
            (afterwards, cause) = (state, Ended);
        }

        state.ShouldBe(afterwards);
        await ShouldHaveEndedAsync(outcome, cause, afterwards switch { "exited" => "stopped", "absent" => "removed", var other => other });
    }

    [Theory]
    [InlineData("docker", MigrationStage.PreCopy)]
    [InlineData("docker", MigrationStage.Switchover)]
    [InlineData("runc", MigrationStage.PreCopy)]
    public async Task ProgramIsKilled(string runtime, MigrationStage stage)
    {
        // As the kernel does when memory is out: SIGKILL for the process, without asking any runtime.
        var server = await NumberServer.StartAsync(H1, runtime);
        var pid = runtime == "docker" ? (await H1.InspectAsync(server.Name))!["State"]!["Pid"]!.ToString() : System.Text.Json.Nodes.JsonNode.Parse(await server.DescribeAsync(H1))!["pid"]!.ToString();
        var outcome = await HeldAsync(stage, server, () => H1.RunAsync("kill", "-KILL", pid));
        await ShouldHaveEndedAsync(outcome, Ended, "stopped");
    }

    [Fact]
    public async Task ProgramEndsByItself()
    {
        await H1.DockerRunAsync("web", "--network", "lan", "--ip", LabContainer.IPv4, "--ip6", LabContainer.IPv6, "ctm-small:1", "python3", "-c", """
            import os, signal
            memory = os.urandom(16 << 20)
            signal.signal(signal.SIGUSR1, lambda *_: os._exit(3))
            print("ready", flush=True)
            while True:
                signal.pause()
            """);
        await H1.WaitForLogAsync("web", "ready");
        var outcome = await HeldAsync(MigrationStage.PreCopy, "docker:web", () => H1.RunAsync("docker", "kill", "-s", "USR1", "web"));
        await ShouldHaveEndedAsync(outcome, Ended + "exit code 3", "stopped");
    }

    private Task<MigrationOutcome> HeldAsync(MigrationStage stage, NumberServer server, Func<Task> happens) => HeldAsync(stage, server.Operand, happens);

    private async Task<MigrationOutcome> HeldAsync(MigrationStage stage, string operand, Func<Task> happens)
    {
        await using var held = await HeldMigration.StartAsync(stage, H1, operand, H2);
        await happens();
        await held.ReleaseAsync();
        return await held.Migration.EndAsync();
    }

    private async Task ShouldHaveEndedAsync(MigrationOutcome outcome, string cause, string sourceState)
    {
        outcome.ExitCode.ShouldBe(20, outcome.ToString());
        outcome.ErrorLines[0].ShouldStartWith("ctmigrate: h1: ");
        outcome.ErrorLines[0].ShouldContain(cause, customMessage: outcome.ToString());
        (outcome.SourceState, outcome.DestinationState).ShouldBe((sourceState, "absent"), outcome.ToString());
        await ShouldBeAsBeforeAsync(H2);

        if (await H1.StateAsync("web") == "exited")
        {
            // As the error says. dockerd has tried once to remove what it had of it; where that was while it was frozen, runc refused, and dockerd does it now.
            await H1.RunAsync("docker", "start", "web");
        }

        await H1.RemoveContainersAsync();
        await ShouldBeAsBeforeAsync(H1);
        var another = await NumberServer.StartAsync(H1);
        (await H1.MigrateAsync(another.Name, H2, "--freeze-timeout", "60s")).ShouldBeDone();
    }
}
