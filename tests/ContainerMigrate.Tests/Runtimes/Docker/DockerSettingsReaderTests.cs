using System.Text.Json.Nodes;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Runtimes.Docker;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Runtimes.Docker;

public sealed class DockerSettingsReaderTests
{
    [Theory]
    [InlineData(26)]
    [InlineData(28)]
    public void KeepsEverythingThatTheOperatorGave(int docker)
    {
        var inspect = RecordedAnswers.Load(docker, "full");

        var settings = RecordedAnswers.Read(inspect, docker, out var findings);

        findings.ShouldBeEmpty();
        settings.Unmovable.ShouldBeEmpty();
        foreach (var key in (string[])["Hostname", "Domainname", "User", "ExposedPorts", "Env", "Cmd", "Entrypoint", "Healthcheck", "WorkingDir", "Labels", "StopSignal", "StopTimeout"])
        {
            JsonNode.DeepEquals(settings.Config[key], inspect["Config"]![key]).ShouldBeTrue(key);
        }

        foreach (var key in (string[])["LogConfig", "Annotations", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "IpcMode", "CgroupnsMode", "OomScoreAdj", "ReadonlyRootfs", "SecurityOpt", "Tmpfs", "ShmSize", "Sysctls", "Ulimits", "Mounts", "MaskedPaths", "ReadonlyPaths", "MemorySwap", "Init"])
        {
            JsonNode.DeepEquals(settings.HostConfig[key], inspect["HostConfig"]![key]).ShouldBeTrue(key);
        }

        settings.HostConfig["CapAdd"]!.ToJsonString().ShouldBe("""["CAP_NET_ADMIN"]""");
        settings.HostConfig["CapDrop"]!.ToJsonString().ShouldBe("""["CAP_MKNOD"]""");
    }

    [Theory]
    [InlineData(26)]
    [InlineData(28)]
    public void KeepsThePlaceInEveryNetwork(int docker)
    {
        var inspect = RecordedAnswers.Load(docker, "full");
        var mac = inspect["NetworkSettings"]!["Networks"]!["lan"]!["MacAddress"]!.GetValue<string>();

        var settings = RecordedAnswers.Read(inspect, docker, out _, [new NetworkLink { Name = "eth1", MacAddress = mac, Kind = "macvlan" }]);

        settings.Networks.Select(n => n.Network.Name).ShouldBe(["lan", "back"]);
        settings.Networks[0].IPv4.ShouldBe("10.77.0.51");
        settings.Networks[0].IPv6.ShouldNotBeNull("Docker gave it, the operator did not: it must stay the same all the same");
        settings.Networks[0].Mac.ShouldBe(mac);
        settings.Networks[0].Aliases.ShouldBe(["web", "www"]);
        settings.Networks[0].Interface.ShouldBe("eth1");
        settings.Networks[1].IPv4.ShouldBe("10.90.0.7");
        settings.Networks[1].IPv6.ShouldBe("fd90::7");
    }

    [Theory]
    [InlineData(26)]
    [InlineData(28)]
    public void NamesEveryReasonAtOnce(int docker)
    {
        var inspect = RecordedAnswers.Load(docker, "refused");

        var settings = RecordedAnswers.Read(inspect, docker, out var findings);

        findings.ShouldAllBe(f => f.Severity == CheckSeverity.Error);
        findings.Count(f => f.Check == CheckNames.Privileged).ShouldBe(1);
        findings.Count(f => f.Check == CheckNames.Devices).ShouldBe(2);
        findings.Count(f => f.Check == CheckNames.Namespaces).ShouldBe(4, "process, IPC, host name, cgroup");
        findings.Count(f => f.Check == CheckNames.Network).ShouldBe(1, "link");
        settings.Unmovable.ShouldContain("HostConfig.Privileged");
    }

    [Theory]
    [InlineData(26)]
    [InlineData(28)]
    public void FindsNothingWrongWithAPlainContainer(int docker)
    {
        foreach (var name in (string[])["plain", "tty", "bridged"])
        {
            RecordedAnswers.Read(RecordedAnswers.Load(docker, name), docker, out var findings);
            findings.ShouldBeEmpty(name);
        }
    }

    [Fact]
    public void KeepsTheHostNameThatDockerMadeFromTheId()
    {
        var inspect = RecordedAnswers.Load(26, "plain");

        var settings = RecordedAnswers.Read(inspect, 26, out _);

        settings.Config["Hostname"]!.GetValue<string>().ShouldBe(inspect["Id"]!.GetValue<string>()[..12]);
    }

    [Fact]
    public void KeepsAutoRemovalAndTerminal()
    {
        var settings = RecordedAnswers.Read(28, "tty");

        settings.HostConfig["AutoRemove"]!.GetValue<bool>().ShouldBeTrue();
        settings.HostConfig["Init"]!.GetValue<bool>().ShouldBeTrue();
        settings.Config["Tty"]!.GetValue<bool>().ShouldBeTrue();
        settings.Config["OpenStdin"]!.GetValue<bool>().ShouldBeTrue();
        settings.Networks.ShouldBeEmpty();
    }

    [Fact]
    public void DoesNotCarryAnAddressOfTheDefaultBridge()
    {
        var settings = RecordedAnswers.Read(26, "bridged");

        var network = settings.Networks.ShouldHaveSingleItem();
        network.Network.IsDefaultBridge.ShouldBeTrue();
        network.Addresses.ShouldBeEmpty();
        settings.HostConfig["PortBindings"]!["80/tcp"].ShouldNotBeNull();
    }

    [Theory]
    [InlineData("HostConfig", "GpuCount", "3")]
    [InlineData("HostConfig", "KernelMemory", "1048576")]
    [InlineData("Config", "NetworkDisabled", "true")]
    public void RefusesWhatItDoesNotKnow(string section, string key, string value)
    {
        var inspect = RecordedAnswers.Load(26, "plain");
        inspect[section]![key] = JsonNode.Parse(value);

        var settings = RecordedAnswers.Read(inspect, 26, out var findings);

        findings.ShouldHaveSingleItem().Message.ShouldStartWith($"{section}.{key} is set");
        settings.Unmovable.ShouldBe([$"{section}.{key}"]);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("false")]
    [InlineData("0")]
    [InlineData("\"\"")]
    [InlineData("[]")]
    [InlineData("{}")]
    public void TakesUnknownKeysThatAreNotSet(string value)
    {
        var inspect = RecordedAnswers.Load(26, "plain");
        inspect["HostConfig"]!["GpuCount"] = JsonNode.Parse(value);

        RecordedAnswers.Read(inspect, 26, out var findings);

        findings.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("SecurityOpt", """["writable-cgroups=true"]""")]
    [InlineData("SecurityOpt", """["label=type:svirt_t"]""")]
    [InlineData("Annotations", """{"org.criu.config": "/tmp/evil.conf"}""")]
    [InlineData("Mounts", """[{"Type": "image", "Source": "x", "Target": "/x"}]""")]
    [InlineData("Runtime", "\"kata\"")]
    [InlineData("IpcMode", "\"container:other\"")]
    [InlineData("PidMode", "\"container:other\"")]
    [InlineData("NetworkMode", "\"container:other\"")]
    [InlineData("Links", """["/db:/web/db"]""")]
    [InlineData("Cgroup", "\"container:x\"")]
    public void RefusesValuesThatCannotBeKept(string key, string value)
    {
        var inspect = RecordedAnswers.Load(28, "plain");
        inspect["HostConfig"]![key] = JsonNode.Parse(value);

        var settings = RecordedAnswers.Read(inspect, 28, out var findings);

        findings.ShouldContain(f => f.Severity == CheckSeverity.Error);
        settings.Unmovable.ShouldContain($"HostConfig.{key}");
        settings.HostConfig.ContainsKey(key).ShouldBeFalse();
    }

    [Fact]
    public void DropsTheAliasThatDockerMakesOfTheId()
    {
        var inspect = RecordedAnswers.Load(26, "plain");
        var shortId = inspect["Id"]!.GetValue<string>()[..12];
        inspect["NetworkSettings"]!["Networks"]!["lan"]!["Aliases"] = new JsonArray(shortId, "web");

        RecordedAnswers.Read(inspect, 26, out _).Networks[0].Aliases.ShouldBe(["web"]);
    }

    [Fact]
    public void DoesNotCarryTheMarkOfAnEarlierMigration()
    {
        var inspect = RecordedAnswers.Load(26, "plain");
        inspect["HostConfig"]!["Annotations"] = new JsonObject { [DockerSettingsReader.MigrationAnnotation] = "m1" };

        RecordedAnswers.Read(inspect, 26, out _).HostConfig.ContainsKey("Annotations").ShouldBeFalse();
    }

    [Fact]
    public void RefusesNetworksOverSeveralHosts()
    {
        var inspect = RecordedAnswers.Load(26, "plain");
        var networks = RecordedAnswers.Networks(26);
        networks["lan"] = networks["lan"] with { Driver = "overlay", Scope = "swarm" };
        var findings = new List<CheckFinding>();

        DockerSettingsReader.Read(inspect, networks, [], hasInit: false, findings).Unmovable.ShouldContain("networks");
        findings.ShouldHaveSingleItem().Check.ShouldBe(CheckNames.Network);
    }

    [Fact]
    public void RefusesOtherStorageDrivers()
    {
        var inspect = RecordedAnswers.Load(26, "plain");
        inspect["Driver"] = "btrfs";

        RecordedAnswers.Read(inspect, 26, out var findings);

        findings.ShouldHaveSingleItem().Check.ShouldBe(CheckNames.Storage);
    }

    [Fact]
    public void KnowsTheFirstNetworkByItsIdToo()
    {
        var inspect = RecordedAnswers.Load(26, "full");
        inspect["HostConfig"]!["NetworkMode"] = inspect["NetworkSettings"]!["Networks"]!["back"]!["NetworkID"]!.GetValue<string>();

        RecordedAnswers.Read(inspect, 26, out _).Networks[0].Network.Name.ShouldBe("back");
    }

    [Theory]
    [InlineData("""{"Healthcheck":{"Test":["CMD-SHELL","test -e /tmp"]}}""", "/bin/sh|-c|test -e /tmp")]
    [InlineData("""{"Healthcheck":{"Test":["CMD-SHELL","true"]},"Shell":["/bin/bash","-ec"]}""", "/bin/bash|-ec|true")]
    [InlineData("""{"Healthcheck":{"Test":["CMD","/bin/check","-v"]}}""", "/bin/check|-v")]
    [InlineData("""{"Healthcheck":{"Test":["NONE"]}}""", "")]
    [InlineData("{}", "")]
    public void KnowsTheCommandOfHealthProbes(string config, string command) =>
        string.Join('|', DockerInspector.ProbeCommand(JsonNode.Parse(config))).ShouldBe(command);
}
