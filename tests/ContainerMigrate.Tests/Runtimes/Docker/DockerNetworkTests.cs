using System.Text.Json.Nodes;
using ContainerMigrate.Linux.Runtimes.Docker;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Runtimes.Docker;

public sealed class DockerNetworkTests
{
    [Theory]
    [InlineData(26)]
    [InlineData(28)]
    public void TellsHowToMakeItElsewhere(int docker)
    {
        RecordedAnswers.Networks(docker)["lan"].CreateCommand().ShouldBe(
            "docker network create -d macvlan --ipv6 --subnet 10.77.0.0/24 --gateway 10.77.0.1 --subnet fd77::/64 --gateway fd77::1 -o parent=eth0 lan");
        RecordedAnswers.Networks(docker)["back"].CreateCommand().ShouldStartWith(
            "docker network create -d bridge --ipv6 --subnet 10.90.0.0/24 --gateway 10.90.0.1 --subnet fd90::/64");
    }

    [Fact]
    public void KeepsTheCommandInTheShellsQuotes()
    {
        var network = new DockerNetwork
        {
            Name = "a'; rm -rf /;\n'",
            Driver = "bridge",
            Options = new Dictionary<string, string> { ["x"] = "$(reboot)" },
        };

        network.CreateCommand().ShouldBe("""docker network create -d bridge -o 'x=$(reboot)' 'a'\''; rm -rf /;'\'''""");
    }

    [Fact]
    public void KnowsTheHostLinkBehindIt()
    {
        var networks = ((JsonArray)RecordedAnswers.Load(26, "networks")).ToDictionary(n => n!["Name"]!.GetValue<string>(), n => n!);

        DockerNetwork.FindHostLink(networks["lan"]).ShouldBe("eth0");
        DockerNetwork.FindHostLink(networks["brnet"]).ShouldBe("brnet");
        DockerNetwork.FindHostLink(networks["bridge"]).ShouldBe("docker0");
        DockerNetwork.FindHostLink(networks["back"]).ShouldBe("br-" + networks["back"]["Id"]!.GetValue<string>()[..12]);
    }

    [Theory]
    [InlineData("172.17.0.0/16", true)]
    [InlineData("172.31.0.0/16", true)]
    [InlineData("192.168.16.0/20", true)]
    [InlineData("172.16.0.0/16", false)]
    [InlineData("172.18.0.0/24", false)]
    [InlineData("192.168.1.0/24", false)]
    [InlineData("10.77.0.0/24", false)]
    [InlineData("fd77::/64", false)]
    public void KnowsTheSubnetsThatDockerChooses(string range, bool chosen) =>
        new DockerNetwork.Subnet(range, null, null).IsFromDefaultPools.ShouldBe(chosen);

    [Fact]
    public void OrdersLinksAsDockerBefore28NumbersThem()
    {
        // Seen on 26.1.5: a container created on lan and connected to back before its start has back as eth0.
        NetworkAttachment.InNumberingOrder(RecordedAnswers.Read(26, "full").Networks).Select(n => n.Network.Name).ShouldBe(["back", "lan"]);
    }
}
