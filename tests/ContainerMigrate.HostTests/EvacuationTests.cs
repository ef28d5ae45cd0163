using System.Text.Json.Nodes;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>A host is emptied, and gets back what it had.</summary>
[Trait("docker", "any")]
public sealed class EvacuationTests(LabFixture lab) : HostTest(lab)
{
    [Fact]
    public async Task MovesWhatCanMoveAndBringsItBack()
    {
        var web = await NumberServer.StartAsync(H1, "runc");
        await using var clients = await NumberClients.ConnectAsync(Client);
        await StartAsync("first", "--ip", "10.77.0.51", "--label", "io.ctmigrate.evacuate.priority=5");
        await StartAsync("second", "--ip", "10.77.0.52");
        await StartAsync("pinned", "--ip", "10.77.0.53", "--label", "io.ctmigrate.evacuate=leave");
        await StartAsync("elsewhere", "--ip", "10.77.0.54", "--label", "io.ctmigrate.evacuate.target=h9");
        await StartAsync("privileged", "--ip", "10.77.0.55", "--privileged");

        var plan = await RunAsync(50, "evacuate", "--plan");
        plan["plan"]!.AsArray().Select(m => (m!["container"]!.GetValue<string>(), m["host"]?.GetValue<string>())).ShouldBe(
            [("first", "h2"), ("web", "h2"), ("second", "h2"), ("elsewhere", null), ("pinned", null), ("privileged", null)], ignoreOrder: true);
        plan["plan"]![0]!["container"]!.GetValue<string>().ShouldBe("first");

        var evacuated = await RunAsync(50, "evacuate", "--to", "h2", "--parallel", "2");
        ResultsOf(evacuated).ShouldBe([("first", "moved"), ("web", "moved"), ("second", "moved"), ("elsewhere", "stays"), ("pinned", "left"), ("privileged", "stays")], ignoreOrder: true);
        DetailOf(evacuated, "privileged").ShouldContain("privileged");
        DetailOf(evacuated, "elsewhere").ShouldContain("h9");
        await web.ShouldRunOnAsync(H2);
        await ShouldRunAsync(H2, "first", "second");
        await ShouldRunAsync(H1, "pinned", "elsewhere", "privileged");

        // Again, without those that cannot: nothing is left to do.
        await H1.RunAsync("docker", "rm", "-f", "elsewhere", "privileged");
        ResultsOf(await RunAsync(0, "evacuate")).ShouldBe([("pinned", "left")]);

        // One is not where it went any more; the others come back.
        await H2.RunAsync("docker", "rm", "-f", "second");
        var returned = await RunAsync(0, "return");
        ResultsOf(returned).ShouldBe([("first", "moved"), ("web", "moved"), ("second", "gone")], ignoreOrder: true);
        await web.ShouldRunOnAsync(H1);
        await ShouldRunAsync(H1, "first", "pinned");
        await clients.ShouldBeCompleteAsync();
        ResultsOf(await RunAsync(0, "return")).ShouldBeEmpty();
    }

    [Fact]
    public async Task TwelveContainersEachAsItCan()
    {
        string[] small = [.. Enumerable.Range(1, 9).Select(i => $"small{i}")];
        for (var i = 0; i < small.Length; i++)
        {
            await StartAsync(small[i], "--ip", $"10.77.0.{61 + i}");
        }

        await StartAsync("privileged", "--ip", "10.77.0.71", "--privileged");
        await StartAsync("stopped", "--ip", "10.77.0.72", "--label", "io.ctmigrate.evacuate=offline");
        await StartAsync("saved", "--ip", "10.77.0.73", "--label", "io.ctmigrate.evacuate=save");
        // One that the destination cannot restore, whichever is first.
        await using var armed = await ArmedDaemon.StartAsync(H2, "{}");
        await H2.ShellAsync("echo 'target.Restore:before=error' >/var/tmp/faults");

        var plan = await RunAsync(50, "evacuate", "--plan");
        plan["plan"]!.AsArray().ToLookup(m => m!["way"]?.GetValue<string>(), m => m!["container"]!.GetValue<string>()).ToDictionary(g => g.Key ?? "", g => string.Join(' ', g.Order())).ShouldBe(
            new Dictionary<string, string> { ["live"] = string.Join(' ', small), ["offline"] = "stopped", ["save"] = "saved", [""] = "privileged" }, ignoreOrder: true);

        var evacuated = await RunAsync(50, "evacuate", "--parallel", "3");
        var results = ResultsOf(evacuated).ToDictionary(r => r.Container, r => r.Result);
        results.Count.ShouldBe(12);
        (results["privileged"], results["stopped"], results["saved"]).ShouldBe(("stays", "moved", "saved"));
        var failed = small.Where(s => results[s] != "moved").ShouldHaveSingleItem(evacuated.ToJsonString());
        results[failed].ShouldBe("stays");
        DetailOf(evacuated, failed).ShouldContain("target.Restore");
        await ShouldRunAsync(H2, [.. small.Where(s => s != failed), "stopped"]);
        await ShouldRunAsync(H1, failed, "privileged");
        (await H1.StateAsync("saved")).ShouldBe("absent");

        // Where it stopped.
        ResultsOf(await RunAsync(50, "evacuate")).ShouldBe([(failed, "moved"), ("privileged", "stays")], ignoreOrder: true);

        // All but two are removed, to be short: of those one comes out of its file.
        await H2.RunAsync(["docker", "rm", "-f", .. small]);
        var returned = ResultsOf(await RunAsync(0, "return")).ToDictionary(r => r.Container, r => r.Result);
        (returned["stopped"], returned["saved"], returned[failed]).ShouldBe(("moved", "moved", "gone"));
        await ShouldRunAsync(H1, "stopped", "saved", "privileged");
        (await H1.ShellAsync("ls /var/lib/ctmigrate/saved")).ShouldBeEmpty("the file that it was in");
        ResultsOf(await RunAsync(0, "return")).ShouldBeEmpty();
    }

    private Task<string> StartAsync(string name, params string[] options) =>
        H1.DockerRunAsync(name, ["--network", "lan", .. options, "ctm-small:1", "sleep", "10000"]);

    private static async Task ShouldRunAsync(LabHost host, params string[] containers)
    {
        foreach (var container in containers)
        {
            (await host.StateAsync(container)).ShouldBe("running", $"{container} on {host.Name}");
        }
    }

    private async Task<JsonNode> RunAsync(int exitCode, params string[] command)
    {
        var result = await H1.TryAsync(["ctmigrate", .. command, "--json"], TimeSpan.FromMinutes(2));
        result.ExitCode.ShouldBe(exitCode, $"{string.Join(' ', command)}: {result.Text} {result.Error}");
        return JsonNode.Parse(result.Text)!;
    }

    private static IEnumerable<(string Container, string Result)> ResultsOf(JsonNode outcome) =>
        outcome["containers"]!.AsArray().Select(c => (c!["container"]!.GetValue<string>(), c["result"]!.GetValue<string>()));

    private static string DetailOf(JsonNode outcome, string container) =>
        outcome["containers"]!.AsArray().Single(c => c!["container"]!.GetValue<string>() == container)!["detail"]!.GetValue<string>();
}
