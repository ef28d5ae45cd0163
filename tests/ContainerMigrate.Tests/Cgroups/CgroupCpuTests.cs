using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Cgroups;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Cgroups;

public sealed class CgroupCpuTests
{
    private readonly CgroupCpu _cpu = new();

    [Fact]
    public void LimitsOrSaysWhyItCannot()
    {
        using var cgroup = ScratchCgroup.Create();

        if (File.Exists(cgroup.Path + "/cpu.max"))
        {
            _cpu.FindObstacle(cgroup.Path).ShouldBeNull();
            var original = _cpu.Read(cgroup.Path);
            _cpu.Apply(cgroup.Path, original.Of(0.2));
            File.ReadAllText(cgroup.Path + "/cpu.max").ShouldBe("20000 100000\n");
            _cpu.Apply(cgroup.Path, original);
            _cpu.Read(cgroup.Path).ShouldBe(original);
        }
        else
        {
            _cpu.FindObstacle(cgroup.Path).ShouldNotBeNull().ShouldContain("no cpu.max");
        }
    }

    [Fact]
    public void ReadsUsageWithoutTheControllerToo()
    {
        using var cgroup = ScratchCgroup.Create();

        _cpu.ReadUsage(cgroup.Path).ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public void FindsNothingToGiveBackWhereTheCgroupIsGone() => _cpu.Apply("/sys/fs/cgroup/ctmtest-gone", new CpuLimit(null, 100_000));

    [Theory]
    [InlineData("/tmp/web")]
    [InlineData("/sys/fs/cgroup/../../../tmp/web")]
    public void WritesBeneathTheCgroupsOnly(string path) => Should.Throw<ArgumentException>(() => _cpu.Apply(path, new CpuLimit(null, 100_000)));
}
