using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>
/// A kernel before 6.7 that has soft-dirty bits: memory goes ahead there as well. <c>make test-vm</c> runs this on one, in emulation as the case may be: so
/// everything has a lot of time.
/// </summary>
[Trait("kernel", "soft-dirty")]
public sealed class SoftDirtyTests(LabFixture lab) : HostTest(lab)
{
    private const string Container = "fire";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task DoctorAndCheckSayHowWrittenMemoryIsFound()
    {
        var doctor = await H1.TryAsync("ctmigrate", "doctor");
        doctor.Lines.ShouldContain(l => l.Contains("memory tracking", StringComparison.Ordinal) && l.Contains("soft-dirty", StringComparison.Ordinal), doctor.Text);
        await LabContainer.StartAsync(H1, "docker", Container, "ctm-small:1", ["python3", "/app/fire.py"]);

        var check = await H1.TryAsync(["ctmigrate", "check", Container, "h2"], Patience);

        check.ExitCode.ShouldBe(0, check.Text);
        check.Lines.ShouldContain(l => l.StartsWith("predicted pause: ", StringComparison.Ordinal) && l.Contains("(precopy, soft-dirty; ", StringComparison.Ordinal), check.Text);
        check.Output.ShouldContain("stands still for a moment in each round", customMessage: check.Text);
    }

    // Docker's, whose image is on both hosts: emulated, a bundle's hundred megabytes of files take a minute.
    [Fact]
    public async Task NoByteIsWrong()
    {
        var container = await LabContainer.StartAsync(H1, "docker", Container, "ctm-small:1", ["python3", "/app/fire.py"], "MEMORY=64", "DIRTY=2");
        await using var client = await ConnectAsync();
        var (from, to) = (H1, H2);
        for (var move = 1; move <= 2; move++)
        {
            var moved = await from.MigrateAsync(Container, to, "--mode", "precopy");
            moved.ShouldBeDone();
            moved.Json["tracker"]?.GetValue<string>().ShouldBe("soft-dirty");
            moved.Rounds.ShouldBeGreaterThanOrEqualTo(1);
            Measured.Write($"{moved.Rounds} rounds, {moved.SentBytes >> 20} MiB, frozen before the switchover for {moved.Json["frozen_before_switchover_ms"]} ms in all");
            await container.ShouldHaveMovedAsync(from, to);

            await client.Input.WriteLineAsync("look");
            var number = $"{move} ";
            var answer = await client.WaitForOutputAsync(l => l.StartsWith(number, StringComparison.Ordinal), Patience);
            answer.TrimEnd().ShouldBe($"{move} right");
            (from, to) = (to, from);
        }
    }

    private Task<LabProcess> ConnectAsync() => Endurance.AskAsync(Client, LabContainer.IPv4, Patience);
}
