using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Processes;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Host;

public sealed class HostInspectorTests(ITestOutputHelper output)
{
    private readonly HostInspector _inspector = new(
        new HostInspectorOptions { HostName = "hostA", Version = "0.1.0", Criu = "no-such-criu", Wrapper = "/no/such/wrapper" }, new ProcessRunner(), []);

    [Fact]
    public async Task ReadsThisHost()
    {
        var facts = await _inspector.ReadFactsAsync(CancellationToken.None);

        facts.HostName.ShouldBe("hostA");
        facts.KernelRelease.ShouldNotBeEmpty();
        facts.CpuFlags.ShouldNotBeEmpty();
        facts.AvailableMemoryBytes.ShouldBeGreaterThan(0);
        facts.FreeDiskBytes.ShouldBeGreaterThan(0);
        facts.CriuVersion.ShouldBeEmpty();
        (facts.CriuVersion, facts.CriuProblem).ShouldBe(("", ""));
        if (facts.Architecture == "x86_64")
        {
            facts.CpuFlags.ShouldContain("sse2");
            facts.XsaveBytes.ShouldBeGreaterThanOrEqualTo(512);
        }
    }

    [Fact]
    public async Task DiagnosesThisHost()
    {
        var report = await _inspector.DiagnoseAsync(CancellationToken.None);

        foreach (var item in report.Items)
        {
            output.WriteLine($"{item.Status,-8} {item.Name}: {item.Detail}{(item.Hint is null ? "" : $" -> {item.Hint}")}");
        }

        report.Items.ShouldAllBe(item => item.Status == "ok" || item.Hint != null || item.Name == "clock");
        report.Items.Single(item => item.Name == "packet fence").Status.ShouldBe(Environment.IsPrivilegedProcess ? "ok" : "error");
        report.Items.Single(item => item.Name == "criu").Status.ShouldBe("error");
        report.Items.Single(item => item.Name == "runc wrapper").Status.ShouldBe("error");
    }

    [Fact]
    public async Task SaysWhenAContainerIsGone()
    {
        var container = new SourceContainer
        {
            Reference = new ContainerReference("runc", "c", "c"),
            Manifest = new ContainerManifest { Runtime = "runc", SourceId = "c", Name = "c", Settings = [] },
            InitPid = 4194304,
            CgroupDirectory = "/sys/fs/cgroup/no-such-cgroup",
            WritableLayerDirectory = "/nowhere",
            RuncRoot = "/run/runc",
        };

        (await _inspector.CheckProcessesAsync(container, CancellationToken.None)).ShouldHaveSingleItem().Message.ShouldContain("cannot be looked at");
    }
}
