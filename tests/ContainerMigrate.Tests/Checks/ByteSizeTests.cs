using ContainerMigrate.Checks;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Checks;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(17, "17 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.0 KiB")]
    [InlineData(1536, "1.5 KiB")]
    [InlineData(10 << 10, "10 KiB")]
    [InlineData(512L << 20, "512 MiB")]
    [InlineData((1L << 30) * 19 / 10, "1.9 GiB")]
    [InlineData(1L << 40, "1.0 TiB")]
    [InlineData(1L << 50, "1.0 PiB")]
    [InlineData(long.MaxValue, "8192 PiB")]
    [InlineData(-2048, "-2.0 KiB")]
    [InlineData((1L << 20) - 1, "1.0 MiB")]
    [InlineData((1L << 30) - 1, "1.0 GiB")]
    [InlineData(10239, "10 KiB")]
    public void Format(long bytes, string text) => ByteSize.Format(bytes).ShouldBe(text);
}
