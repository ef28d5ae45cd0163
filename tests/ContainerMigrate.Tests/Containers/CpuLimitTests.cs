using ContainerMigrate.Containers;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Containers;

public sealed class CpuLimitTests
{
    [Theory]
    [InlineData("max 100000\n", null, 100_000)]
    [InlineData("50000 100000\n", 50_000L, 100_000)]
    [InlineData("400000 20000", 400_000L, 20_000)]
    public void ReadsWhatTheKernelSaysAndSaysItAgain(string text, long? quota, long period)
    {
        CpuLimit.TryParse(text, out var limit).ShouldBeTrue();

        limit.ShouldBe(new CpuLimit(quota, period));
        limit.ToString().ShouldBe(text.Trim());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("max")]
    [InlineData("-1 100000")]
    [InlineData("5 100000")]
    [InlineData("50000 0")]
    [InlineData("50000 99999999999")]
    [InlineData("50000 100000 1")]
    public void RefusesWhatTheKernelWould(string? text) => CpuLimit.TryParse(text, out _).ShouldBeFalse();

    [Fact]
    public void KeepsThePeriodAndTheKernelsLeastQuota()
    {
        new CpuLimit(null, 100_000).Of(0.5).ShouldBe(new CpuLimit(50_000, 100_000));
        new CpuLimit(null, 1000).Of(0.05).ShouldBe(new CpuLimit(1000, 1000));
    }
}
