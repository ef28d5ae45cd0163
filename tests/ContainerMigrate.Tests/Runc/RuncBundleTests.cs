using System.Text.Json.Nodes;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Runtimes.Runc;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Runc;

/// <summary>A bundle of <c>runc spec</c>, and what a peer might make of it.</summary>
public sealed class RuncBundleTests
{
    private const string Spec = """
        {
          "ociVersion": "1.2.0",
          "process": {"terminal": false, "user": {"uid": 0, "gid": 0}, "args": ["sh"], "env": ["PATH=/bin"], "cwd": "/",
            "capabilities": {"bounding": ["CAP_KILL"]}, "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}], "noNewPrivileges": true},
          "root": {"path": "rootfs", "readonly": true},
          "hostname": "web",
          "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "ro"]}],
          "linux": {"cgroupsPath": "/web", "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": [{"type": "pid"}, {"type": "network", "path": "/run/netns/web"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "cgroup"}],
            "seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}, "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"]}
        }
        """;

    [Fact]
    public void BundleOfRuncSpecMoves() => RuncBundle.Check(Parse(Spec), []).ShouldBeEmpty();

    [Theory]
    [InlineData("$.hooks", """{"prestart":[{"path":"/bin/sh"}]}""", CheckNames.Settings, "has hooks")]
    [InlineData("$.Hooks", """{"prestart":[{"path":"/bin/sh"}]}""", CheckNames.Settings, "'Hooks'")]
    [InlineData("$.vm", "{}", CheckNames.Settings, "'vm'")]
    [InlineData("$.Linux", "{}", CheckNames.Settings, "'Linux'")]
    [InlineData("$.linux.devices", """[{"path":"/dev/sda","type":"b","major":8,"minor":0}]""", CheckNames.Devices, "devices of this host")]
    [InlineData("$.linux.intelRdt", "{}", CheckNames.Settings, "linux.intelRdt")]
    [InlineData("$.linux.CgroupsPath", "\"/other\"", CheckNames.Settings, "linux.CgroupsPath")]
    [InlineData("$.linux.seccomp.listenerPath", "\"/run/x.sock\"", CheckNames.Settings, "'listenerPath'")]
    [InlineData("$.linux.cgroupsPath", "[]", CheckNames.Settings, "not an OCI runtime configuration")]
    [InlineData("$.linux.cgroupsPath", "\"/../x\"", CheckNames.Settings, "cgroupsPath")]
    [InlineData("$.linux.cgroupsPath", "\"/\"", CheckNames.Settings, "cgroupsPath")]
    [InlineData("$.linux.cgroupsPath", "\"/x\\naction-script /rootfs/evil\"", CheckNames.Settings, "cgroupsPath")]
    [InlineData("$.root.Path", "\"/\"", CheckNames.Settings, "'Path' in root")]
    [InlineData("$.root", "{}", CheckNames.Settings, "no root file system")]
    [InlineData("$.process.terminal", "true", CheckNames.Terminal, "terminal")]
    [InlineData("$.process.Terminal", "true", CheckNames.Settings, "'Terminal' in process")]
    [InlineData("$.mounts[0]", """{"destination":"/data","type":"bind","source":"/srv"}""", CheckNames.Mounts, "nothing was said")]
    [InlineData("$.mounts[0]", """{"destination":"/data","type":"none","source":"/srv","options":["rbind"]}""", CheckNames.Mounts, "nothing was said")]
    [InlineData("$.mounts[0]", """{"destination":"/data","source":"/srv","options":["bind"]}""", CheckNames.Mounts, "nothing was said")]
    [InlineData("$.mounts[0]", """{"destination":"/data","type":"tmpfs","source":"/srv","options":["rbind"]}""", CheckNames.Mounts, "in a way that cannot be kept")]
    [InlineData("$.mounts[0]", """{"destination":"/data","type":"bind","source":"/srv/data","options":["bind","rshared"]}""", CheckNames.Mounts, "in a way that cannot be kept")]
    [InlineData("$.mounts[0]", """{"destination":"/data","type":"bind","source":"data"}""", CheckNames.Mounts, "no absolute path")]
    [InlineData("$.mounts[0]", """{"destination":"/data","type":"ext4","source":"/dev/sda1"}""", CheckNames.Mounts, "/dev/sda1 of this host")]
    [InlineData("$.mounts[0]", """{"destination":"/data","type":"tmpfs","source":"/srv","Options":["rbind"]}""", CheckNames.Settings, "'Options' in mounts")]
    [InlineData("$.mounts[0]", """{"destination":"/data","type":"tmpfs","source":"x","Type":"bind","Source":"/etc"}""", CheckNames.Settings, "'Type' in mounts")]
    [InlineData("$.linux.namespaces[0]", """{"type":"pid","path":"/proc/1/ns/pid"}""", CheckNames.Namespaces, "joins the pid namespace")]
    [InlineData("$.linux.namespaces[0]", """{"type":"pid","Path":"/proc/1/ns/pid"}""", CheckNames.Settings, "'Path' in linux.namespaces")]
    [InlineData("$.linux.namespaces[0]", """{"type":"user"}""", CheckNames.Namespaces, "user namespace")]
    [InlineData("$.linux.namespaces[0]", """{"type":"time"}""", CheckNames.Namespaces, "shares the host's pid namespace")]
    [InlineData("$.linux.namespaces[1]", """{"type":"network","path":"/proc/1/ns/net"}""", CheckNames.Namespaces, "no name under /run/netns")]
    [InlineData("$.linux.namespaces[1]", """{"type":"network","path":"/run/netns/../../proc/1/ns/net"}""", CheckNames.Namespaces, "no name under /run/netns")]
    [InlineData("$.linux.namespaces[1]", """{"type":"network","path":"/run/netns/-x"}""", CheckNames.Namespaces, "no name under /run/netns")]
    [InlineData("$.linux.namespaces", "[]", CheckNames.Namespaces, "shares the host's")]
    [InlineData("$.linux.namespaces", "null", CheckNames.Namespaces, "shares the host's")]
    [InlineData("$.linux.namespaces[0]", """{"type":"ipc"}""", CheckNames.Settings, "not an OCI runtime configuration")]
    public void WhatNamesSomethingOfTheHostIsFound(string path, string value, string check, string message)
    {
        var findings = RuncBundle.Check(Set(Parse(Spec), path, JsonNode.Parse(value)), []);

        findings.ShouldContain(f => f.Check == check && f.Severity == CheckSeverity.Error && f.Message.Contains(message), string.Join('\n', findings));
    }

    [Fact]
    public void ValueOfAnyOtherTypeIsAFindingOrKept()
    {
        string[] values = ["null", "1", "true", "\"x\"", "[]", "{}", "[null]", "[1]", "[[]]", "[{}]", "[\"x\"]", """{"path":1,"type":[]}""", """[{"path":1,"type":[],"options":{}}]"""];
        string[] paths =
        [
            "$.process", "$.process.terminal", "$.root", "$.root.path", "$.mounts", "$.mounts[0]", "$.mounts[0].type", "$.mounts[0].options", "$.mounts[0].source", "$.linux",
            "$.linux.cgroupsPath", "$.linux.namespaces", "$.linux.namespaces[0]", "$.linux.namespaces[0].type", "$.linux.namespaces[1].path", "$.linux.seccomp", "$.linux.devices",
            "$.annotations", "$.hooks",
        ];
        foreach (var path in paths)
        {
            foreach (var value in values)
            {
                var config = Set(Parse(Spec), path, JsonNode.Parse(value));

                Should.NotThrow(() => RuncBundle.Check(config, []), $"{path} = {value}");
                if (RuncBundle.Check(config, []).Count == 0)
                {
                    Should.NotThrow(() => (RuncBundle.NetworkName(config), RuncBundle.Adapt(config, "web", null)), $"{path} = {value}");
                }
            }
        }
    }

    [Theory]
    [InlineData("""{"root":{"path":"a","path":"/"}}""")]
    [InlineData("""{"linux":{},"linux":{}}""")]
    [InlineData("""{"root":{"path":"a"},"mounts":[{"type":"tmpfs","type":"bind","source":"/etc"}]}""")]
    public void NameThatIsThereTwiceIsAFinding(string json) => RuncBundle.Check(Parse(json), []).ShouldNotBeEmpty();

    [Theory]
    [InlineData("/srv/data", "/data", false, true)]
    [InlineData("/srv/data", "/data", true, false)]
    [InlineData("/srv/data", "/other", false, false)]
    [InlineData("/etc", "/data", false, false)]
    public void OnlyBindsThatBothHostsHaveLookedAtAreTaken(string source, string target, bool readOnly, bool isTaken)
    {
        var config = Set(Parse(Spec), "$.mounts[0]", JsonNode.Parse("""{"destination":"/data","type":"bind","source":"/srv/data","options":["rbind","rw","nodev"]}"""));

        (RuncBundle.Check(config, [new MountDescription("bind", source, target, readOnly)]).Count == 0).ShouldBe(isTaken);
        RuncBundle.Check(config, RuncMounts.Describe(config)).ShouldBeEmpty();
    }

    [Fact]
    public void AdaptedBundleHasPathsOfItsOwn()
    {
        var config = Parse(Spec);
        config["annotations"] = new JsonObject { ["org.criu.config"] = "/var/lib/ctmigrate/x", ["a"] = "b" };
        config["root"]!["path"] = "/srv/other";

        var adapted = RuncBundle.Adapt(config, "web", "/run/netns/web");

        adapted["root"]!["path"]!.GetValue<string>().ShouldBe("rootfs");
        adapted["annotations"]!.ToJsonString().ShouldBe("""{"a":"b"}""");
        adapted["linux"]!["namespaces"]![1]!["path"]!.GetValue<string>().ShouldBe("/run/netns/web");
        config["root"]!["path"]!.GetValue<string>().ShouldBe("/srv/other");
    }

    [Fact]
    public void CgroupIsNamedWhereItWasNot()
    {
        var config = Parse(Spec);
        config["linux"]!.AsObject().Remove("cgroupsPath");

        RuncBundle.Check(config, []).ShouldBeEmpty();
        RuncBundle.Adapt(config, "web", null)["linux"]!["cgroupsPath"]!.GetValue<string>().ShouldBe("/web");
        RuncBundle.Adapt(Parse(Spec), "other", null)["linux"]!["cgroupsPath"]!.GetValue<string>().ShouldBe("/web");
    }

    [Fact]
    public void NetworkNamespaceIsNamedOrRuncsOwn()
    {
        RuncBundle.NetworkName(Parse(Spec)).ShouldBe("web");

        var own = Set(Parse(Spec), "$.linux.namespaces[1]", JsonNode.Parse("""{"type":"network"}"""));
        RuncBundle.NetworkName(own).ShouldBeNull();
        RuncBundle.Adapt(own, "web", null)["linux"]!["namespaces"]![1]!.ToJsonString().ShouldBe("""{"type":"network"}""");
    }

    private static JsonObject Parse(string json) => JsonNode.Parse(json)!.AsObject();

    // $.a.b[1].c
    private static JsonObject Set(JsonObject config, string path, JsonNode? value)
    {
        var parts = path[2..].Replace("[", ".", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal).Split('.');
        JsonNode node = config;
        foreach (var part in parts[..^1])
        {
            node = int.TryParse(part, out var i) ? node[i]! : node[part]!;
        }

        if (int.TryParse(parts[^1], out var index))
        {
            node[index] = value;
        }
        else
        {
            node[parts[^1]] = value;
        }

        return config;
    }
}
