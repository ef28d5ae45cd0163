using Xunit;

namespace ContainerMigrate.Tests.Cgroups;

/// <summary>A cgroup v2 of its own for one test; needs root, else the test is skipped with the reason.</summary>
internal sealed class ScratchCgroup : IDisposable
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
        if (Directory.Exists(Path))
        {
            File.WriteAllText(Path + "/cgroup.freeze", "0");
            Directory.Delete(Path);
        }
    }
}
