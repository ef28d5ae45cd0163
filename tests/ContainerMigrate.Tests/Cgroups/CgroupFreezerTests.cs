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

    /// <summary>A cgroup v2 of its own.</summary>
    private sealed class ScratchCgroup : IDisposable
    {
        private ScratchCgroup(string path) => Path = path;

        internal string Path { get; }

        internal static ScratchCgroup Create()
        {
            Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to make a cgroup");
            string[] roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
            var root = roots.FirstOrDefault(r => File.Exists(r + "/cgroup.controllers"));
            Assert.SkipWhen(root is null, "needs cgroup v2");
            var path = $"{root}/ctmtest-{Environment.ProcessId}-{Guid.NewGuid():N}";
            Directory.CreateDirectory(path);
            return new ScratchCgroup(path);
        }

        public void Dispose()
        {
            File.WriteAllText(Path + "/cgroup.freeze", "0");
            Directory.Delete(Path);
        }
    }
}
