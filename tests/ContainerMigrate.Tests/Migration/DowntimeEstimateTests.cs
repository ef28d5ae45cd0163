using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

public sealed class DowntimeEstimateTests
{
    [Fact]
    public void SmallContainerTakesTheFixedCost() => DowntimeEstimate.StopAndCopyMs(0, 0, 0, 0).ShouldBeInRange(100, 1000);

    [Fact]
    public void FilesGoAheadInAnyCase() =>
        DowntimeEstimate.StopAndCopyMs(0, 1 << 30, 0, 1).ShouldBeLessThan(DowntimeEstimate.StopAndCopyMs(1 << 30, 0, 0, 1) / 4);

    [Fact]
    public void GrowsWithEverything()
    {
        var small = DowntimeEstimate.StopAndCopyMs(1 << 20, 1 << 20, 0, 1);

        DowntimeEstimate.StopAndCopyMs(1 << 30, 1 << 20, 0, 1).ShouldBeGreaterThan(small);
        DowntimeEstimate.StopAndCopyMs(1 << 20, 1 << 30, 0, 1).ShouldBeGreaterThan(small);
        DowntimeEstimate.StopAndCopyMs(1 << 20, 1 << 20, 0, 100).ShouldBeGreaterThan(small);
        DowntimeEstimate.StopAndCopyMs(1 << 20, 1 << 20, 10_000, 1).ShouldBeGreaterThan(small);
    }

    [Fact]
    public void StaysANumberForTheLargest() => double.IsFinite(DowntimeEstimate.StopAndCopyMs(1L << 50, 1L << 50, 0, int.MaxValue)).ShouldBeTrue();

    [Fact]
    public void MemoryThatGoesAheadCountsLittle()
    {
        var small = DowntimeEstimate.PreCopy(Samples.Manifest());
        var large = DowntimeEstimate.PreCopy(Samples.Manifest() with { MemoryBytes = 4L << 30 });

        large.TotalMs.ShouldBeInRange(small.TotalMs, 3 * small.TotalMs);
        large.TotalMs.ShouldBeLessThan(DowntimeEstimate.StopAndCopyMs(4L << 30, 0, 0, 1) / 5);
    }

    [Fact]
    public void FilesCountAsFarAsTheyTakeLongerThanTheDump()
    {
        var few = DowntimeEstimate.PreCopy(Samples.Manifest());
        var many = DowntimeEstimate.PreCopy(Samples.Manifest() with { WritableLayerBytes = 1 << 30, WritableLayerEntries = 1_000_000 });

        few.FilesMs.ShouldBe(0);
        many.FilesMs.ShouldBeGreaterThan(1000, "a million files have to be looked at");
        DowntimeEstimate.PreCopy(Samples.Manifest() with { WritableLayerBytes = 1 << 30, WritableLayerEntries = 4000 }).FilesMs.ShouldBe(0);
        many.TotalMs.ShouldBe(few.TotalMs + many.FilesMs);
    }
}
