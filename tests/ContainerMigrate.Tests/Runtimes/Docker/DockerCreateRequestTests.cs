using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Runtimes.Docker;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Runtimes.Docker;

public sealed class DockerCreateRequestTests
{
    private static readonly Version Docker20 = new(1, 41);
    private static readonly Version Docker26 = new(1, 45);
    private static readonly Version Docker28 = new(1, 51);

    [Fact]
    public void NeverRestartsByItself()
    {
        var request = DockerCreateRequest.Build(RecordedAnswers.Read(26, "full"), [], "ctm-small:1", "m1", Docker26);

        request.Body["HostConfig"]!["RestartPolicy"]!.ToJsonString().ShouldBe("""{"Name":"no"}""");
        request.Body["HostConfig"]!["Runtime"]!.GetValue<string>().ShouldBe("runc");
    }

    [Fact]
    public void AsksForTheSamePlaceInAllNetworksAtOnce()
    {
        var settings = RecordedAnswers.Read(26, "full");

        var request = DockerCreateRequest.Build(settings, [], "ctm-small:1", "m1", Docker26);

        request.Body["HostConfig"]!["NetworkMode"]!.GetValue<string>().ShouldBe("lan");
        var lan = request.Body["NetworkingConfig"]!["EndpointsConfig"]!["lan"]!;
        lan["IPAMConfig"]!["IPv4Address"]!.GetValue<string>().ShouldBe("10.77.0.51");
        lan["IPAMConfig"]!["IPv6Address"]!.GetValue<string>().ShouldBe(settings.Networks[0].IPv6);
        lan["MacAddress"]!.GetValue<string>().ShouldBe("02:42:0a:4d:00:33");
        lan["Aliases"]!.ToJsonString().ShouldBe("""["web","www"]""");
        var back = request.Body["NetworkingConfig"]!["EndpointsConfig"]!["back"]!;
        back["IPAMConfig"]!["IPv4Address"]!.GetValue<string>().ShouldBe("10.90.0.7");
        back["MacAddress"]!.GetValue<string>().ShouldBe("02:42:0a:5a:00:07");
        request.Connections.ShouldBeEmpty();
    }

    [Fact]
    public void ConnectsOldDockerToTheOtherNetworksAfterwards()
    {
        var request = DockerCreateRequest.Build(RecordedAnswers.Read(26, "full"), [], "ctm-small:1", "m1", Docker20);

        request.Body["NetworkingConfig"]!["EndpointsConfig"]!.AsObject().Select(e => e.Key).ShouldBe(["lan"]);
        var (network, endpoint) = request.Connections.ShouldHaveSingleItem();
        network.ShouldBe("back");
        endpoint["IPAMConfig"]!["IPv6Address"]!.GetValue<string>().ShouldBe("fd90::7");
    }

    [Fact]
    public void NamesTheLinksWhereDockerWouldNumberThemAtRandom()
    {
        var inspect = RecordedAnswers.Load(28, "full");
        var mac = inspect["NetworkSettings"]!["Networks"]!["lan"]!["MacAddress"]!.GetValue<string>();
        var settings = RecordedAnswers.Read(inspect, 28, out _, [new NetworkLink { Name = "eth1", MacAddress = mac, Kind = "macvlan" }]);

        Option(settings, Docker28).ShouldBe("eth1");
        Option(settings, Docker26).ShouldBeNull();

        static string? Option(DockerSettings settings, Version api) =>
            (string?)DockerCreateRequest.Build(settings, [], "x", "m1", api).Body["NetworkingConfig"]!["EndpointsConfig"]!["lan"]!["DriverOpts"]?["com.docker.network.endpoint.ifname"];
    }

    [Fact]
    public void LeavesTheNameOfAnOnlyLinkToDocker()
    {
        var inspect = RecordedAnswers.Load(28, "plain");
        var mac = inspect["NetworkSettings"]!["Networks"]!["lan"]!["MacAddress"]!.GetValue<string>();
        var settings = RecordedAnswers.Read(inspect, 28, out _, [new NetworkLink { Name = "eth0", MacAddress = mac, Kind = "macvlan" }]);

        DockerCreateRequest.Build(settings, [], "x", "m1", Docker28).Body["NetworkingConfig"]!["EndpointsConfig"]!["lan"]!["DriverOpts"].ShouldBeNull();
    }

    [Fact]
    public void GivesTheMacAddressWhereOldDockerTakesIt()
    {
        var request = DockerCreateRequest.Build(RecordedAnswers.Read(26, "plain"), [], "x", "m1", Docker20);

        request.Body["MacAddress"]!.GetValue<string>().ShouldBe("02:42:0a:4d:00:32");
        request.Body["NetworkingConfig"]!["EndpointsConfig"]!["lan"]!["MacAddress"].ShouldBeNull();
    }

    [Fact]
    public void DoesNotTakeTheEntryPointOfTheImageWhereTheContainerHasNone()
    {
        DockerCreateRequest.Build(RecordedAnswers.Read(26, "plain"), [], "x", "m1", Docker26)
            .Body["Entrypoint"]!.ToJsonString().ShouldBe("""[""]""");
        DockerCreateRequest.Build(RecordedAnswers.Read(26, "full"), [], "x", "m1", Docker26)
            .Body["Entrypoint"]!.ToJsonString().ShouldBe("""["/bin/sleep"]""");
    }

    [Fact]
    public void StaysWithoutNetworkWhereTheContainerHasNone()
    {
        var request = DockerCreateRequest.Build(RecordedAnswers.Read(26, "tty"), [], "x", "m1", Docker26);

        request.Body["HostConfig"]!["NetworkMode"]!.GetValue<string>().ShouldBe("none");
        request.Body["NetworkingConfig"].ShouldBeNull();
    }

    [Fact]
    public void MarksTheContainerWithoutTouchingItsLabels()
    {
        var settings = RecordedAnswers.Read(26, "full");

        var request = DockerCreateRequest.Build(settings, [], "x", "m1", Docker26);

        request.Body["Labels"]!.ToJsonString().ShouldBe("""{"tier":"front"}""");
        request.Body["HostConfig"]!["Annotations"]!.ToJsonString().ShouldBe("""{"com.example.team":"blue","org.containermigrate.migration":"m1"}""");
        DockerCreateRequest.Build(settings, [], "x", "m1", Docker20).Body["HostConfig"]!["Annotations"]!.AsObject().Count.ShouldBe(1);
        settings.HostConfig["Annotations"]!.AsObject().Count.ShouldBe(1, "the settings themselves stay as they are");
    }
}
