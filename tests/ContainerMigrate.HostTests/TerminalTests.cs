using System.Globalization;
using System.Text.RegularExpressions;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>A container with a terminal (`docker run -t -i`) has one on the destination: its output, its input and its size.</summary>
public sealed partial class TerminalTests(LabFixture lab) : HostTest(lab)
{
    private const string Container = "shell";

    [Fact]
    public async Task GoesOnAndCanBeAttachedToAgain()
    {
        await H1.DockerRunAsync(Container, "-t", "-i", "--network", "lan", "--ip", LabContainer.IPv4, "ctm-small:1", "sh");
        await using (var before = Attach(H1, rows: 24, columns: 80))
        {
            await TypeAsync(before, "stty -echo; secret=kept; (n=0; while n=$((n + 1)); do echo tick-$n; sleep 0.02; done) &");
            await before.WaitForOutputAsync(l => l.StartsWith("tick-10", StringComparison.Ordinal));
            (await H1.MigrateAsync(Container, H2)).ShouldBeDone();
        }

        var ticks = await TicksAsync(H2);
        await using (var after = Attach(H2, rows: 33, columns: 91))
        {
            await after.WaitForOutputAsync(l => l.TrimEnd() == $"tick-{ticks + 20}");
            await TypeAsync(after, "echo \"$secret on $(tty), size $(stty size)\"");
            await after.WaitForOutputAsync(l => l.TrimEnd() == "kept on /dev/pts/0, size 33 91");
        }

        await using var again = Attach(H2, rows: 50, columns: 132);
        await TypeAsync(again, "echo \"size $(stty size)\"; cat");
        await again.WaitForOutputAsync(l => l.TrimEnd() == "size 50 132");
        await TypeAsync(again, "typed into cat");
        await again.WaitForOutputAsync(l => l.TrimEnd() == "typed into cat");
        await again.Input.WriteAsync('\x03');
        await again.Input.FlushAsync(TestContext.Current.CancellationToken);
        // What is typed before cat is gone may still be read by it.
        await Eventually.BecomesTrueAsync("Ctrl-C ends cat", async () => !(await H2.RunAsync("docker", "top", Container, "-o", "pid,comm")).Contains("cat", StringComparison.Ordinal));
        await TypeAsync(again, "echo interrupted-$?; exit 3");
        await again.WaitForOutputAsync(l => l.Contains("interrupted-130", StringComparison.Ordinal));
        await Eventually.BecomesTrueAsync("the shell has ended", async () => await H2.StateAsync(Container) == "exited");
        (await H2.InspectAsync(Container))!["State"]!["ExitCode"]!.GetValue<int>().ShouldBe(3);
    }

    // `docker attach` wants a terminal of its own, whose size becomes the container's.
    private static LabProcess Attach(LabHost host, int rows, int columns) =>
        host.Start("script", "-qfc", $"stty rows {rows} columns {columns} -echo; exec docker attach --sig-proxy=false {Container}", "/dev/null");

    private static async Task TypeAsync(LabProcess terminal, string line)
    {
        await terminal.Input.WriteLineAsync(line);
        await terminal.Input.FlushAsync();
    }

    // All of them are in the log, in order.
    private static async Task<int> TicksAsync(LabHost host)
    {
        var ticks = (await host.TryAsync("docker", "logs", Container)).Checked().Lines
            .Select(l => Tick().Match(l)).Where(m => m.Success).Select(m => int.Parse(m.ValueSpan, CultureInfo.InvariantCulture)).ToList();
        ticks.ShouldBe(Enumerable.Range(1, ticks.Count));
        return ticks.Count;
    }

    [GeneratedRegex(@"(?<=tick-)\d+")]
    private static partial Regex Tick();
}
