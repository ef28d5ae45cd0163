using System.Diagnostics;
using ContainerMigrate.Linux.Cgroups;
using ContainerMigrate.Linux.Processes;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Cgroups;

public sealed class CgroupFreezerTests(ITestOutputHelper output)
{
    private readonly CgroupFreezer _freezer = new();

    [Fact]
    public async Task FreezesAndThawsALivingProcess()
    {
        using var cgroup = ScratchCgroup.Create();
        await using var process = await new ProcessRunner().StartAsync(
            new ProcessCommand("/bin/sh", "-c", $"echo $$ > {cgroup.Path}/cgroup.procs; echo in; while :; do :; done"), CancellationToken.None);
        await process.StandardOutput.ReadExactlyAsync(new byte[3], CancellationToken.None);

        var watch = Stopwatch.StartNew();
        await _freezer.FreezeAsync(cgroup.Path, TimeSpan.FromSeconds(5), CancellationToken.None);
        output.WriteLine($"frozen after {watch.Elapsed.TotalMilliseconds:0.0} ms");

        _freezer.IsFrozen(cgroup.Path).ShouldBeTrue();
        await _freezer.FreezeAsync(cgroup.Path, TimeSpan.FromSeconds(5), CancellationToken.None);

        await _freezer.ThawAsync(cgroup.Path, CancellationToken.None);
        _freezer.IsFrozen(cgroup.Path).ShouldBeFalse();
        await process.DisposeAsync();
    }

    [Fact]
    public async Task FindsNothingToThawWhereTheCgroupIsGone()
    {
        using var cgroup = ScratchCgroup.Create();
        var gone = cgroup.Path + "-gone";

        await _freezer.ThawAsync(gone, CancellationToken.None);
        _freezer.IsFrozen(gone).ShouldBeFalse();
    }

    [Fact]
    public async Task RemovesWhatIsEmptyAndNothingElse()
    {
        using var cgroup = ScratchCgroup.Create();
        Directory.CreateDirectory(Path.Combine(cgroup.Path, "init", "inner"));
        await using var process = await new ProcessRunner().StartAsync(
            new ProcessCommand("/bin/sh", "-c", $"echo $$ > {cgroup.Path}/cgroup.procs; echo in; read -r line"), CancellationToken.None);
        await process.StandardOutput.ReadExactlyAsync(new byte[3], CancellationToken.None);

        _freezer.RemoveEmpty(cgroup.Path);
        Directory.Exists(cgroup.Path).ShouldBeTrue();

        await process.StandardInput.DisposeAsync();
        await process.WaitAsync(CancellationToken.None);
        Directory.CreateDirectory(Path.Combine(cgroup.Path, "init", "inner"));
        _freezer.RemoveEmpty(cgroup.Path);
        Directory.Exists(cgroup.Path).ShouldBeFalse();
        _freezer.RemoveEmpty(cgroup.Path);
    }

    [Theory]
    [InlineData("/sys/fs/cgroup/")]
    [InlineData("/sys/fs/cgroup/../../../tmp")]
    [InlineData("/tmp/x")]
    public void RefusesPathsThatAreNoCgroup(string path) =>
        Should.Throw<ArgumentException>(() => _freezer.IsFrozen(path));

    [Theory]
    [InlineData("populated 1\nfrozen 1\n", true)]
    [InlineData("populated 1\nfrozen 0\n", false)]
    [InlineData("", false)]
    public void ReadsTheKernelsWord(string events, bool frozen) => CgroupEvents.IsFrozen(events).ShouldBe(frozen);
}
