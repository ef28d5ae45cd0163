using ContainerMigrate.Checks;
using ContainerMigrate.Host;
using ContainerMigrate.Tests.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Checks;

public sealed class HostComparisonTests
{
    private static readonly HostFacts Source = Samples.Facts("h1");
    private static readonly HostFacts Destination = Samples.Facts("h2");

    [Fact]
    public void AlikeHostsHaveNoFindings() => Compare(Source, Destination).ShouldBeEmpty();

    [Theory]
    [InlineData("h1")]
    [InlineData("h2")]
    public void MissingCriu(string host)
    {
        var (source, destination) = On(host, f => f with { CriuVersion = "" });

        ShouldBeError(Compare(source, destination), CheckNames.Criu, host, "CRIU is not installed");
    }

    [Fact]
    public void CriuThatDoesNotStart() =>
        ShouldBeError(Compare(Source, Destination with { CriuVersion = "", CriuProblem = "exit code 134" }), CheckNames.Criu, "h2", "CRIU does not run: exit code 134");

    [Theory]
    [InlineData("h1")]
    [InlineData("h2")]
    public void CriuThatDoesNotWork(string host)
    {
        var (source, destination) = On(host, f => f with { CriuProblem = "no pidfd" });

        ShouldBeError(Compare(source, destination), CheckNames.Criu, host, "CRIU 4.2.1 does not work on kernel 6.18.5: no pidfd");
    }

    [Theory]
    [InlineData("4.2", "4.2.1", false)]
    [InlineData("4.2.1", "4.2", true)]
    [InlineData("4.1.1", "4.2", false)]
    [InlineData("4.10", "4.9", true)]
    [InlineData("3.17.1", "4.0", false)]
    public void OlderCriuOnTheDestination(string source, string destination, bool refused)
    {
        var findings = Compare(Source with { CriuVersion = source }, Destination with { CriuVersion = destination });

        if (refused)
        {
            ShouldBeError(findings, CheckNames.Criu, "h2", $"CRIU {destination} is older than h1's {source}");
        }
        else
        {
            findings.ShouldBeEmpty();
        }
    }

    [Fact]
    public void OtherArchitecture() =>
        ShouldBeError(Compare(Source, Destination with { Architecture = "aarch64" }), CheckNames.Kernel, "h2", "its processor architecture is aarch64, h1's is x86_64");

    [Theory]
    [InlineData("6.18.5", "6.18.1", false)]
    [InlineData("6.12.4-1-amd64", "6.12.1+deb13-amd64", false)]
    [InlineData("6.18.5", "6.12.48+deb13-cloud-amd64", true)]
    [InlineData("6.9", "6.10", false)]
    [InlineData("6.10", "6.9", true)]
    [InlineData("custom", "6.9", false)]
    public void OlderKernelOnTheDestinationIsAWarning(string source, string destination, bool warned)
    {
        var findings = Compare(Source with { KernelRelease = source }, Destination with { KernelRelease = destination });

        findings.Select(f => (f.Check, f.Severity)).ShouldBe(warned ? [(CheckNames.Kernel, CheckSeverity.Warning)] : []);
    }

    [Fact]
    public void MissingCpuFlags() =>
        ShouldBeError(Compare(Source with { CpuFlags = ["avx", "avx512f", "sse2"] }, Destination), CheckNames.Cpu, "h2", "its CPU lacks avx512f:");

    [Fact]
    public void ManyMissingCpuFlagsAreCutShort()
    {
        var message = Compare(Source with { CpuFlags = [.. Enumerable.Range(10, 30).Select(i => $"f{i}")] }, Destination).ShouldHaveSingleItem().Message;

        message.ShouldContain("f21, ...:");
        message.ShouldNotContain("f22");
    }

    [Fact]
    public void MoreCpuFlagsOnTheDestinationAreFine() => Compare(Source, Destination with { CpuFlags = ["avx", "avx512f", "sse2"] }).ShouldBeEmpty();

    [Theory]
    [InlineData(1000, 999, true)]
    [InlineData(1000, 1000, false)]
    [InlineData(1000, 2000, false)]
    [InlineData(1000, 0, false)]
    [InlineData(0, 1000, false)]
    public void SmallerXsaveArea(int source, int destination, bool refused) =>
        Compare(Source with { XsaveBytes = source }, Destination with { XsaveBytes = destination }).Any(f => f.Check == CheckNames.Cpu).ShouldBe(refused);

    [Theory]
    [InlineData(0, false)]
    [InlineData(-1, true)]
    public void Memory(long more, bool refused)
    {
        var needed = Samples.Manifest().MemoryBytes + HostComparison.SpareMemoryBytes;

        var findings = Compare(Source, Destination with { AvailableMemoryBytes = needed + more });

        findings.Select(f => (f.Check, f.Host)).ShouldBe(refused ? [(CheckNames.Memory, "h2")] : []);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(-1, true)]
    public void DiskOfTheDestination(long more, bool refused)
    {
        var manifest = Samples.Manifest();
        var needed = manifest.MemoryBytes + manifest.WritableLayerBytes + 5000 + HostComparison.SpareDiskBytes;

        var findings = HostComparison.Compare(Source, Destination with { FreeDiskBytes = needed + more }, manifest, 5000).ToList();

        findings.Select(f => (f.Check, f.Host)).ShouldBe(refused ? [(CheckNames.Disk, "h2")] : []);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(-1, true)]
    public void DiskOfTheSource(long more, bool refused)
    {
        var needed = Samples.Manifest().MemoryBytes + HostComparison.SpareDiskBytes;

        var findings = Compare(Source with { FreeDiskBytes = needed + more }, Destination);

        findings.Select(f => (f.Check, f.Host)).ShouldBe(refused ? [(CheckNames.Disk, "h1")] : []);
    }

    [Theory]
    [InlineData(2, null)]
    [InlineData(-2, null)]
    [InlineData(2.1, "2.1 s ahead of h1's")]
    [InlineData(-3600, "3600.0 s behind h1's")]
    public void Clocks(double seconds, string? message)
    {
        var findings = Compare(Source, Destination with { Clock = Source.Clock.AddYears(1).AddSeconds(seconds) }, Source.Clock.AddYears(1));

        findings.Select(f => (f.Check, f.Severity)).ShouldBe(message is null ? [] : [(CheckNames.Clock, CheckSeverity.Warning)]);
        findings.ForEach(f => f.Message.ShouldContain(message!));
    }

    [Fact]
    public void EverythingIsFoundAtOnce()
    {
        var findings = Compare(Source, new HostFacts { HostName = "h2", Version = "1", KernelRelease = "5.10", Architecture = "x86_64" });

        findings.Select(f => f.Check).Distinct().ShouldBe([CheckNames.Criu, CheckNames.Kernel, CheckNames.Cpu, CheckNames.Memory, CheckNames.Disk]);
        findings.ShouldAllBe(f => HostComparison.Names.Contains(f.Check) && f.Host == "h2" && !f.Message.Contains('\n'));
    }

    [Fact]
    public void NamesThatAPeerLeavesOutAreNoDefect() =>
        Should.NotThrow(() => Compare(Source with { CpuFlags = [null!] }, Destination with { KernelRelease = "", CriuVersion = "4" }));

    private static List<CheckFinding> Compare(HostFacts source, HostFacts destination, DateTimeOffset? clock = null) =>
        [.. HostComparison.Compare(clock is { } c ? source with { Clock = c } : source, destination, Samples.Manifest(), 0)];

    private static (HostFacts Source, HostFacts Destination) On(string host, Func<HostFacts, HostFacts> change) =>
        host == "h1" ? (change(Source), Destination) : (Source, change(Destination));

    private static void ShouldBeError(List<CheckFinding> findings, string check, string host, string message)
    {
        var finding = findings.ShouldHaveSingleItem();
        (finding.Check, finding.Severity, finding.Host).ShouldBe((check, CheckSeverity.Error, host));
        finding.Message.ShouldStartWith(message);
    }
}
