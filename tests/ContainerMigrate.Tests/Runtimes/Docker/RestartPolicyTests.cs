using System.Text.Json.Nodes;
using ContainerMigrate.Linux.Runtimes.Docker;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Runtimes.Docker;

public sealed class RestartPolicyTests
{
    [Theory]
    [InlineData(26)]
    [InlineData(28)]
    public void IsReadAsDockerShowsIt(int docker) =>
        RestartPolicy.Read(RecordedAnswers.Load(docker, "full")).ToJsonString().ShouldBe("""{"Name":"on-failure","MaximumRetryCount":4}""");

    [Theory]
    [InlineData("""{"Name":"always","MaximumRetryCount":0}""", "always", 0)]
    [InlineData("""{"Name":"on-failure","MaximumRetryCount":4}""", "on-failure", 4)]
    [InlineData("""{"Name":"unless-stopped"}""", "unless-stopped", 0)]
    [InlineData("""{"Name":""}""", "no", 0)]
    [InlineData("{}", "no", 0)]
    public void PassesDockersOwn(string policy, string name, int count)
    {
        var passed = RestartPolicy.Checked((JsonObject)JsonNode.Parse(policy)!);

        passed["Name"]!.GetValue<string>().ShouldBe(name);
        passed["MaximumRetryCount"]!.GetValue<long>().ShouldBe(count);
    }

    [Theory]
    [InlineData("""{"Name":"sometimes"}""")]
    [InlineData("""{"Name":"on-failure","MaximumRetryCount":-1}""")]
    public void RefusesOthers(string policy) =>
        Should.Throw<InvalidDataException>(() => RestartPolicy.Checked((JsonObject)JsonNode.Parse(policy)!));

    [Theory]
    [InlineData("", -1)]
    [InlineData("0", 0)]
    [InlineData("0-3,8", 8)]
    [InlineData("7,0-3", 7)]
    public void CpuListsTellTheirHighestNumber(string list, int highest) => CpuList.Highest(list).ShouldBe(highest);
}
