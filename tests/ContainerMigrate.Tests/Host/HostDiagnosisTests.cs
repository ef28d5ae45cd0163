using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Processes;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Host;

public sealed class HostDiagnosisTests
{
    [Theory]
    [InlineData("Version: 4.2.1\n", "4.2.1")]
    [InlineData("Version: 3.17.1\nGitID: v3.17.1-1-g1234\n", "3.17.1")]
    [InlineData("", "")]
    public void ReadsCriusVersion(string text, string version) => CriuProbe.ParseVersion(text).ShouldBe(version);

    [Fact]
    public void FindsWhatCriuStumblesOver() =>
        CriuProbe.FindRootCause(new ProcessResult(1, "",
            """
            Error (criu/util.c:642): exited, status=1
            Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds
            Error (criu/crtools.c:260): Could not initialize kernel features detection.
            """)).ShouldBe("vdso: Unexpected rt vDSO area bounds");

    [Theory]
    [InlineData("4.1.1", true, false)]
    [InlineData("4.2", true, true)]
    [InlineData("4.2.1", true, true)]
    [InlineData("4.1.1", false, true)]
    public void KnowsWhichCriuCannotDumpSockets(string version, bool kernelRestricts, bool works) =>
        CriuProbe.FindSocketProblem(version, kernelRestricts).Length.ShouldBe(works ? 0 : CriuProbe.FindSocketProblem("4.0", true).Length);

    [Theory]
    [InlineData("CapEff:\t000001ffffffffff\n", "ok")]
    [InlineData("CapEff:\t000001fffeffffff\n", "warning")]
    [InlineData("CapEff:\t00000000a80425fb\n", "error")]
    public void KnowsWhichCapabilitiesItNeeds(string text, string status) => HostDiagnosis.OfCapabilities(text).Status.ShouldBe(status);

    [Fact]
    public void ReadsFieldsOfProc()
    {
        const string Text = "MemTotal:       24576000 kB\nMemAvailable:   1024 kB\nHugePages_Total:       0\n";

        ProcText.ParseKilobytes(Text, "MemAvailable").ShouldBe(1024 * 1024);
        ProcText.ParseKilobytes(Text, "Mem").ShouldBeNull();
        ProcText.ParseKilobytes(Text, "HugePages_Total").ShouldBeNull();
        CpuFacts.ParseFlags("processor\t: 0\nflags\t\t: sse2 avx\n\nprocessor\t: 1\nflags\t\t: sse2\n").ShouldBe(["avx", "sse2"]);
        CpuFacts.ParseFlags("").ShouldBeEmpty();
    }

    [Fact]
    public void SaysWhichWayMemoryIsTracked()
    {
        HostDiagnosis.OfMemoryTracking(new MemoryTrackingMeans(true, false, true)).Status.ShouldBe("ok");
        HostDiagnosis.OfMemoryTracking(new MemoryTrackingMeans(false, true, true)).ShouldSatisfyAllConditions(i => i.Status.ShouldBe("warning"), i => i.Detail.ShouldContain("soft-dirty"));
        HostDiagnosis.OfMemoryTracking(new MemoryTrackingMeans(false, false, true)).Status.ShouldBe("warning");
    }
}
