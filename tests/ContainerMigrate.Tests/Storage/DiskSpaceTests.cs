using ContainerMigrate.Linux.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

public sealed class DiskSpaceTests
{
    [Fact]
    public void AgreesWithTheRuntimeAboutThisDisk()
    {
        var path = Path.GetTempPath();
        var space = DiskSpace.Of(path);
        var drive = new DriveInfo(path);
        space.TotalBytes.ShouldBe(drive.TotalSize);
        Math.Abs(space.AvailableBytes - drive.AvailableFreeSpace).ShouldBeLessThan(1L << 30, "others use the disk as well");
        space.AvailableEntries.ShouldBeGreaterThan(0);
    }

    [Fact]
    public void APathThatIsNotThereYetIsAskedByItsParent() =>
        DiskSpace.Of(Path.Combine(Path.GetTempPath(), "not", "there", "yet")).TotalBytes.ShouldBe(DiskSpace.Of(Path.GetTempPath()).TotalBytes);

    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(900_000, 1, true)]
    [InlineData(999_999, 1, false)]
    [InlineData(0, 200, true)]
    [InlineData(0, 250, false)]
    [InlineData(0, 101_000, false)]
    [InlineData(long.MaxValue, long.MaxValue, false)]
    public void ATreeNeedsContentBlocksAndInodes(long contentBytes, long entries, bool fits) =>
        new DiskSpace(1_000_000, 2_000_000, 100_000).Fits(contentBytes, entries).ShouldBe(fits);
}
