using ContainerMigrate.Linux.Host;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Host;

public sealed class PipeLimitTests
{
    private const string Root = "Name:\tctmigrated\nCapEff:\t000001ffffffffff\n";
    private const string WithoutResource = "Name:\tctmigrated\nCapEff:\t000001fffeffffff\n";

    [Theory]
    [InlineData("1048576\n", Root, true)]
    [InlineData("16777216\n", WithoutResource, true)]
    [InlineData("1048576\n", WithoutResource, false)]
    [InlineData("", WithoutResource, true)] // nothing can be said
    public void SmallPipesAreAnObstacleToWhomTheLimitHolds(string limit, string status, bool isFine) =>
        (PipeLimit.FindProblem(limit, status) is null).ShouldBe(isFine);
}
