using System.Text.Json.Nodes;
using ContainerMigrate.Linux.Runtimes.Docker;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Runtimes.Docker;

public sealed class DockerSettingsTests
{
    [Theory]
    [InlineData(26, "full")]
    [InlineData(28, "full")]
    [InlineData(26, "plain")]
    [InlineData(28, "tty")]
    [InlineData(28, "bridged")]
    public void ArriveAsTheyWereSent(int docker, string name)
    {
        var sent = RecordedAnswers.Read(docker, name).ToJson();

        var arrived = DockerSettings.Parse((JsonObject)JsonNode.Parse(sent.ToJsonString())!);

        JsonNode.DeepEquals(arrived.ToJson(), sent).ShouldBeTrue();
    }

    [Theory]
    [InlineData("hostConfig", "Privileged", "true")]
    [InlineData("hostConfig", "privileged", "true")] // Go's decoder does not care about case
    [InlineData("hostConfig", "Binds", """["/:/host"]""")]
    [InlineData("hostConfig", "Devices", """[{"PathOnHost": "/dev/sda"}]""")]
    [InlineData("hostConfig", "PidMode", "\"host\"")]
    [InlineData("hostConfig", "IpcMode", "\"host\"")]
    [InlineData("hostConfig", "CgroupnsMode", "\"host\"")]
    [InlineData("hostConfig", "NetworkMode", "\"host\"")]
    [InlineData("hostConfig", "RestartPolicy", """{"Name": "always"}""")]
    [InlineData("hostConfig", "Runtime", "\"evil\"")]
    [InlineData("hostConfig", "Mounts", """[{"Type": "bind", "Source": "/", "Target": "/host"}]""")]
    [InlineData("hostConfig", "Mounts", """[{"Type": "tmpfs", "Source": "/", "Target": "/host"}]""")]
    [InlineData("hostConfig", "Mounts", """[{"Type": "tmpfs", "Target": "/a/../../b"}]""")]
    [InlineData("hostConfig", "Annotations", """{"org.criu.config": "/etc/shadow"}""")]
    [InlineData("hostConfig", "Annotations", """{"org.systemd.property.ExecStart": "x"}""")]
    [InlineData("hostConfig", "SecurityOpt", """["seccomp=/etc/shadow"]""")]
    [InlineData("hostConfig", "SecurityOpt", """["seccomp={\"a\":1,\"a\":2}"]""")]
    [InlineData("hostConfig", "SecurityOpt", """["apparmor=a\nb"]""")]
    [InlineData("hostConfig", "CapAdd", """["NET_ADMIN; x"]""")]
    [InlineData("hostConfig", "CgroupParent", "\"/a/../..\"")]
    [InlineData("hostConfig", "Sysctls", """{"vm.overcommit_memory": "1"}""")]
    [InlineData("hostConfig", "ShmSize", "\"big\"")]
    [InlineData("hostConfig", "ShmSize", "-1")]
    [InlineData("hostConfig", "OomScoreAdj", "-5000")]
    [InlineData("hostConfig", "Dns", """["resolver"]""")]
    [InlineData("hostConfig", "PortBindings", """{"80/tcp": [{"HostIp": "x", "HostPort": "80"}]}""")]
    [InlineData("hostConfig", "PortBindings", """{"80/tcp": [{"HostPort": "80", "Evil": 1}]}""")]
    [InlineData("hostConfig", "MaskedPaths", """["proc"]""")]
    [InlineData("hostConfig", "LogConfig", """{"Type": "-x"}""")]
    [InlineData("hostConfig", "Init", "1")]
    [InlineData("hostConfig", "Ulimits", """[{"Name": "nofile", "Hard": "x"}]""")]
    [InlineData("config", "Image", "\"evil\"")]
    [InlineData("config", "Volumes", """{"/data": {}}""")]
    [InlineData("config", "Env", "\"A=1\"")]
    [InlineData("config", "Env", "[1]")]
    [InlineData("config", "Env", "[null]")]
    [InlineData("config", "Cmd", """["a\u0000b"]""")]
    [InlineData("config", "Hostname", "\"a b\"")]
    [InlineData("config", "Tty", "\"yes\"")]
    [InlineData("config", "WorkingDir", "\"tmp\"")]
    [InlineData("config", "StopTimeout", "1.5")]
    [InlineData("config", "Healthcheck", """{"Test": "x"}""")]
    [InlineData("config", "Labels", """{"a": 1}""")]
    public void AreRefusedOnArrival(string section, string key, string value)
    {
        var settings = RecordedAnswers.Read(26, "plain").ToJson();
        settings[section]![key] = JsonNode.Parse(value);

        var refusal = Should.Throw<InvalidDataException>(() => DockerSettings.Parse(settings));

        refusal.Message.ShouldContain(key, Case.Sensitive);
    }

    [Theory]
    [InlineData("ipv4", "\"10.77.0\"")]
    [InlineData("ipv4", "4")]
    [InlineData("mac", "\"02:42\"")]
    [InlineData("interface", "\"../eth0\"")]
    [InlineData("aliases", """[{"a": 1}]""")]
    [InlineData("driverOptions", """{"a": {"b": 1}}""")]
    public void AreRefusedOnArrivalWithAMalformedNetwork(string key, string value)
    {
        var settings = RecordedAnswers.Read(26, "plain").ToJson();
        settings["networks"]![0]![key] = JsonNode.Parse(value);

        Should.Throw<InvalidDataException>(() => DockerSettings.Parse(settings)).Message.ShouldContain(key);
    }

    [Fact]
    public void AreRefusedWithRepeatedKeys()
    {
        var text = RecordedAnswers.Read(26, "plain").ToJson().ToJsonString();
        var doubled = text.Replace("\"hostConfig\":{", "\"hostConfig\":{\"Tmpfs\":{\"/a\":\"\"},\"Tmpfs\":{\"/b\":\"\"},", StringComparison.Ordinal);

        Should.Throw<InvalidDataException>(() => DockerSettings.Parse((JsonObject)JsonNode.Parse(doubled)!));
    }

    [Fact]
    public void AreRefusedInAnotherFormat()
    {
        var settings = RecordedAnswers.Read(26, "plain").ToJson();
        settings["format"] = 2;

        Should.Throw<InvalidDataException>(() => DockerSettings.Parse(settings)).Message.ShouldContain("same version of ContainerMigrate");
    }

    [Fact]
    public void NameWhatTheNewContainerDoesNotHave()
    {
        var wanted = RecordedAnswers.Read(26, "full");
        var actual = RecordedAnswers.Read(26, "full");
        actual.HostConfig["Sysctls"] = new JsonObject();
        actual.Config.Remove("StopTimeout");
        actual.HostConfig["DnsSearch"] = new JsonArray("example.com");

        wanted.DifferencesFrom(actual).ShouldBe(["Config.StopTimeout", "HostConfig.DnsSearch", "HostConfig.Sysctls"], ignoreOrder: true);
    }

    [Fact]
    public void AreTheSameOnBothVersionsOfDocker()
    {
        var older = RecordedAnswers.Read(26, "full");
        var newer = RecordedAnswers.Read(28, "full");

        // The list of masked paths is a default of each version, and is carried as it is.
        older.DifferencesFrom(newer).ShouldBe(["HostConfig.MaskedPaths"]);
    }
}
