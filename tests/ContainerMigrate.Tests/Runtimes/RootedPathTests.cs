using ContainerMigrate.Linux.Runtimes.Oci;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Runtimes;

public sealed class RootedPathTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("rooted-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void FollowsLinksAsTheContainerWould()
    {
        Directory.CreateDirectory(Path.Combine(_root, "usr/sbin"));
        Link("sbin", "usr/sbin");
        Link("absolute", "/usr/sbin");
        Link("usr/sbin/up", "../../sbin");

        RootedPath.Resolve(_root, "/sbin/docker-init").ShouldBe("/usr/sbin/docker-init");
        RootedPath.Resolve(_root, "/absolute/init").ShouldBe("/usr/sbin/init");
        RootedPath.Resolve(_root, "/sbin/up/./up/init").ShouldBe("/usr/sbin/init");
        RootedPath.Resolve(_root, "/not/there").ShouldBe("/not/there");
    }

    [Fact]
    public void NeverLeavesTheRoot()
    {
        Link("out", "../../../etc");
        RootedPath.Resolve(_root, "/out/passwd").ShouldBe("/etc/passwd");
        RootedPath.Resolve(_root, "/../../etc").ShouldBe("/etc");
    }

    [Fact]
    public void EndsInALoop()
    {
        Link("a", "b");
        Link("b", "a");
        RootedPath.Resolve(_root, "/a/x").ShouldEndWith("/x");
    }

    private void Link(string name, string target) => File.CreateSymbolicLink(Path.Combine(_root, name), target);
}
