using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Cli.Evacuation;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Cli;

public sealed class EvacuationPlanTests
{
    private const long Gibibyte = 1L << 30;

    [Fact]
    public void SpreadsOverTheHostsByTheMemoryThatIsLeft()
    {
        var plan = Make(
            [Container("a"), Container("b"), Container("c")],
            [Report("a", 4, "h2", 10), Report("a", 4, "h3", 8), Report("b", 3, "h2", 10), Report("b", 3, "h3", 8), Report("c", 2, "h2", 10), Report("c", 2, "h3", 8)]);

        plan.Select(m => (m.Container.Name, m.Hosts[0])).ShouldBe([("a", "h2"), ("b", "h3"), ("c", "h2")]);
        plan[0].Hosts.ShouldBe(["h2", "h3"]);
    }

    [Fact]
    public void HighPriorityGoesFirst() =>
        Make([Container("big"), Container("urgent", priority: 1)], [Report("big", 4, "h2", 10), Report("urgent", 1, "h2", 10)])
            .Select(m => m.Container.Name).ShouldBe(["urgent", "big"]);

    [Fact]
    public void LeavesWhatHasNoRoomBesideTheOthers()
    {
        var plan = Make([Container("a"), Container("b")], [Report("a", 6, "h2", 10), Report("b", 5, "h2", 10)]);

        plan[1].Hosts.ShouldBeEmpty();
        plan[1].Reason.ShouldBe("no host has room for it beside the others");
    }

    [Fact]
    public void SaysWhyAContainerStays()
    {
        var refused = Report("a", 1, "h2", 10) with { Ok = false, Findings = [new CheckFinding(CheckNames.Privileged, CheckSeverity.Error, "h1", "it is privileged")] };

        var plan = Make([Container("a"), Container("b", policy: "leave"), Container("c", policy: "teleport"), Container("d")], [refused], ("d", "h2 does not answer"));

        plan.ShouldAllBe(m => m.Hosts.Count == 0);
        plan.Select(m => (m.Container.Name, m.Leave)).ShouldBe([("a", false), ("b", true), ("c", false), ("d", false)], ignoreOrder: true);
        plan.Single(m => m.Container.Name == "a").Reason.ShouldBe("h2: privileged: it is privileged");
        plan.Single(m => m.Container.Name == "c").Reason.ShouldContain("'teleport'");
        plan.Single(m => m.Container.Name == "d").Reason.ShouldBe("h2 does not answer");
    }

    [Fact]
    public void LabelsSayHowAContainerGoes()
    {
        var plan = Make([Container("a", policy: "offline"), Container("b", policy: "save"), Container("c", policy: "leave")], [Report("a", 1, "h2", 10)]);

        plan.Select(m => (m.Container.Name, m.Offline, m.Save, m.Leave, m.Goes)).ShouldBe([("a", true, false, false, true), ("b", false, true, false, true), ("c", false, false, true, false)], ignoreOrder: true);
    }

    [Theory]
    [InlineData("echo stopping; exit 1", true)]
    [InlineData("echo running", false)]
    [InlineData("echo degraded; exit 1", false)]
    [InlineData("exit 1", false)]
    public async Task OnlyAShutdownOfTheHostIsOne(string script, bool isStopping)
    {
        var program = Path.Combine(Directory.CreateTempSubdirectory("ctm-").FullName, "systemctl");
        await File.WriteAllTextAsync(program, $"#!/bin/sh\n[ \"$1\" = is-system-running ] || exit 9\n{script}\n", TestContext.Current.CancellationToken);
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);

        (await SystemState.IsStoppingAsync(program, TestContext.Current.CancellationToken)).ShouldBe(isStopping);
        (await SystemState.IsStoppingAsync("/nowhere/systemctl", TestContext.Current.CancellationToken)).ShouldBeFalse();
        Directory.Delete(Path.GetDirectoryName(program)!, recursive: true);
    }

    private static IReadOnlyList<PlannedMove> Make(IReadOnlyList<ContainerSummary> containers, IReadOnlyList<CheckReport> reports, params (string Id, string Reason)[] troubles) =>
        EvacuationPlan.Make(containers, reports.GroupBy(r => r.Container).ToDictionary(g => g.Key, g => (IReadOnlyList<CheckReport>)[.. g]), troubles.ToDictionary(t => t.Id, t => t.Reason));

    private static ContainerSummary Container(string name, int priority = 0, string policy = "live") => new(name, name, "docker", policy, priority);

    private static CheckReport Report(string container, long gibibytes, string host, long available) => new()
    {
        Container = container, Runtime = "docker", Source = "h1", Destination = host, MemoryBytes = gibibytes * Gibibyte, DestinationAvailableBytes = available * Gibibyte, Ok = true,
    };
}
