using System.Diagnostics;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Cgroups;
using ContainerMigrate.Linux.Runtimes.Docker;
using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Runtimes.Docker;

/// <summary>On plain files in the form of a cgroup v2 directory.</summary>
public sealed class ContainerCgroupTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("cgroup").FullName;

    public void Dispose()
    {
        if (Directory.Exists(_directory))
        {
            Directory.Delete(_directory, recursive: true);
        }
    }

    [Fact]
    public void CountsTheProcessesBelowToo()
    {
        Write("cgroup.procs", "10\n11\n");
        Write("init.scope/cgroup.procs", "12\n");

        new ContainerCgroup(_directory).ReadProcesses().Order().ShouldBe([10, 11, 12]);
    }

    [Fact]
    public void CountsMemoryThatADumpCarries()
    {
        Write("memory.stat", "anon 4096\nfile 100000\nkernel 5000\nshmem 8192\nanon_thp 77\n");

        new ContainerCgroup(_directory).ReadMemoryBytes([]).ShouldBe(8192);
        // What processes share since a fork is carried once for each.
        var one = new ContainerCgroup(_directory).ReadMemoryBytes([Environment.ProcessId]);
        new ContainerCgroup(_directory).ReadMemoryBytes([Environment.ProcessId, Environment.ProcessId]).ShouldBeGreaterThan(one + (1 << 20));
    }

    [Theory]
    [InlineData("max", "max", null)]
    [InlineData("1000000", "max", 1000000L)]
    [InlineData("1000000", "500000", 500000L)]
    public void KnowsWhatMemoryGrowsToWithoutSharing(string own, string parent, long? limit)
    {
        var directory = Path.Combine(_directory, "pod", "container");
        Write("pod/memory.max", parent);
        Write("pod/container/memory.max", own);
        Write("pod/container/memory.stat", "anon 4096\nfile 100000\nshmem 8192\nanon_thp 77\n");
        Write("pod/container/memory.swap.current", "1000\n");

        var demand = ProcessCgroup.ReadMemoryDemand(directory, [Environment.ProcessId]);

        (demand.LimitBytes, demand.UsedBytes).ShouldBe((limit, 13288));
        demand.CopiesBytes.ShouldBeGreaterThan(1 << 20);
        demand.ExceedsLimit.ShouldBe(limit is not null);
        ProcessCgroup.ReadMemoryDemand(_directory, [Environment.ProcessId]).ShouldBe(MemoryDemand.None);
    }

    [Fact]
    public void CountsMemoryOfTheProcessesWithoutTheController() =>
        new ContainerCgroup(_directory).ReadMemoryBytes([Environment.ProcessId, int.MaxValue]).ShouldBeGreaterThan(1 << 20);

    [Fact]
    public async Task KillsAllButTheInitOfAFrozenContainer()
    {
        using var init = Process.Start("sleep", "60");
        using var other = Process.Start("sleep", "60");
        Write("cgroup.procs", $"{init.Id}\n{other.Id}\n{int.MaxValue}\n");
        Write("cgroup.events", "populated 1\nfrozen 0\n");
        var cgroup = new ContainerCgroup(_directory);
        cgroup.KillAllButInit(init.Id);
        other.HasExited.ShouldBeFalse("what is not frozen is the runtime's to kill");

        Write("cgroup.events", "populated 1\nfrozen 1\n");
        cgroup.KillAllButInit(init.Id);

        await other.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        init.HasExited.ShouldBeFalse();
        init.Kill();
    }

    [Fact]
    public void MissesNothingWhenItIsGone()
    {
        Directory.Delete(_directory);
        var cgroup = new ContainerCgroup(_directory);

        cgroup.KillAllButInit(1);
        cgroup.ReadProcesses().ShouldBeEmpty();
    }

    [Fact]
    public void DoesNotTakeTheCgroupOfAnother() =>
        Should.Throw<MigrationException>(() => ContainerCgroup.Find(Environment.ProcessId, "0123456789ab", "/sys/fs/cgroup"));

    [Fact]
    public void SaysThatTheProcessIsGone() =>
        Should.Throw<MigrationException>(() => ContainerCgroup.Find(int.MaxValue, "x", "/sys/fs/cgroup")).Failure.Cause.ShouldContain("is gone");

    private void Write(string file, string text)
    {
        var path = Path.Combine(_directory, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }

    private string Read(string file) => File.ReadAllText(Path.Combine(_directory, file));
}
