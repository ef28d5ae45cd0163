using System.Text.Json.Nodes;
using ContainerMigrate.Linux.Runtimes.Oci;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Oci;

public sealed class BundleConfigTests
{
    private const string Fence = "/usr/lib/ctmigrate/ctmigrate-fence-hook";

    [Fact]
    public void AnnotationIsAddedToTheOthers()
    {
        var config = Prepare("""{"annotations":{"a":"b"}}""");

        config["annotations"]!.ToJsonString().ShouldBe("""{"a":"b","org.criu.config":"/d/criu.conf"}""");
    }

    [Fact]
    public void FenceComesBeforeTheRuntimesOwnHooks()
    {
        var config = Prepare("""{"hooks":{"prestart":[{"path":"/usr/bin/dockerd","args":["libnetwork-setkey"]}],"poststop":[{"path":"/x"}]}}""");

        var prestart = config["hooks"]!["prestart"]!.AsArray();
        prestart.Select(h => h!["path"]!.GetValue<string>()).ShouldBe([Fence, "/usr/bin/dockerd"]);
        prestart[0]!["args"]![0]!.GetValue<string>().ShouldBe("ctmigrate-fence-hook");
        config["hooks"]!["poststop"]!.AsArray().Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"hooks":null,"annotations":null,"mounts":null}""")]
    [InlineData("""{"hooks":{"prestart":null}}""")]
    public void WhatIsNotThereIsMade(string json) => Prepare(json)["hooks"]!["prestart"]!.AsArray().Count.ShouldBe(1);

    [Fact]
    public void LinksAreFollowedInSourcesAndTargets()
    {
        var config = Prepare("""
            {"mounts":[{"destination":"/sbin/docker-init","type":"bind","source":"/usr/bin/link"},{"destination":"/proc","type":"proc","source":"proc"},
             {"destination":"/data","type":"bind","source":"/srv"}]}
            """);

        config["mounts"]!.AsArray().Select(m => $"{m!["source"]} {m["destination"]}").ShouldBe(
            ["/usr/bin/real /usr/sbin/docker-init", "proc /proc", "/srv /data"]);
    }

    [Fact]
    public void EverythingElseStays()
    {
        const string Json = """{"ociVersion":"1.2.0","process":{"args":["a b","ü\u0000"],"x":1.50},"linux":{"seccomp":{}}}""";
        var expected = JsonNode.Parse(Json)!.AsObject();

        var config = Prepare(Json);
        config.Remove("hooks");
        config.Remove("annotations");

        JsonNode.DeepEquals(config, expected).ShouldBeTrue(config.ToJsonString());
    }

    [Theory]
    [InlineData("/docker/c0ffee", "/docker/c0ffee")]
    [InlineData("web", "/web")]
    [InlineData("system.slice:docker:c0ffee", "/system.slice/docker-c0ffee.scope")]
    [InlineData(":docker:c0ffee", "/system.slice/docker-c0ffee.scope")]
    [InlineData("a-b-c.slice:docker:x", "/a.slice/a-b.slice/a-b-c.slice/docker-x.scope")]
    [InlineData("-.slice:docker:x", "/-.slice/docker-x.scope")]
    [InlineData("/user.slice/user@1000.service/x", "/user.slice/user@1000.service/x")]
    public void CgroupPath(string configured, string path) => BundleConfig.CgroupPath(Cgroup(configured)).ShouldBe(path);

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("//")]
    [InlineData("/docker/../../init.scope")]
    [InlineData("..")]
    [InlineData("./x")]
    [InlineData("/x\naction-script /tmp/evil")]
    [InlineData("/x\r")]
    [InlineData("/x y")]
    [InlineData("/x#y")]
    [InlineData("/x\"y")]
    [InlineData("/ü")]
    [InlineData("..:docker:x")]
    public void CgroupPathThatWouldBeMoreThanAPathIsRefused(string configured) => Should.Throw<InvalidDataException>(() => BundleConfig.CgroupPath(Cgroup(configured)));

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"linux":{}}""")]
    [InlineData("""{"linux":{"cgroupsPath":null}}""")]
    public void NoCgroupPathIsRefused(string json) => Should.Throw<InvalidDataException>(() => BundleConfig.CgroupPath(JsonNode.Parse(json)!.AsObject()));

    private static JsonObject Cgroup(string path) => new() { ["linux"] = new JsonObject { ["cgroupsPath"] = path } };

    private static JsonObject Prepare(string json)
    {
        var config = JsonNode.Parse(json)!.AsObject();
        BundleConfig.PrepareForRestore(config, "/d/criu.conf", Fence, p => p == "/usr/bin/link" ? "/usr/bin/real" : p, p => p == "/sbin/docker-init" ? "/usr/sbin/docker-init" : p);
        return JsonNode.Parse(config.ToJsonString())!.AsObject();
    }
}
