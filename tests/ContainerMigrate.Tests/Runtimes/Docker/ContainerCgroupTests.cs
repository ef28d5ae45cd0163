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

        new ContainerCgroup(_directory).ReadMemoryBytes([]).ShouldBe(12288);
    }

    [Fact]
    public void CountsMemoryOfTheProcessesWithoutTheController() =>
        new ContainerCgroup(_directory).ReadMemoryBytes([Environment.ProcessId, int.MaxValue]).ShouldBeGreaterThan(1 << 20);

    [Fact]
    public async Task ThawsWhatItKilledOnceItIsEmpty()
    {
        Write("cgroup.events", "populated 1\nfrozen 1\n");
        Write("cgroup.freeze", "1");
        var killed = new ContainerCgroup(_directory).KillAsync(TestContext.Current.CancellationToken);
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Read("cgroup.kill").ShouldBe("1");
        Read("cgroup.freeze").ShouldBe("1", "something lives in it still, and must not run");

        Write("cgroup.events", "populated 0\nfrozen 1\n");
        await killed;

        Read("cgroup.freeze").ShouldBe("0");
    }

    [Fact]
    public async Task MissesNothingWhenItIsGone()
    {
        Directory.Delete(_directory);
        var cgroup = new ContainerCgroup(_directory);

        await cgroup.KillAsync(TestContext.Current.CancellationToken);
        cgroup.RemoveRest();
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
