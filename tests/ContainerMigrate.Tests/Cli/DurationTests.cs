using ContainerMigrate.Cli.Units;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Cli;

public sealed class DurationTests
{
    [Theory]
    [InlineData("500ms", 500)]
    [InlineData("10s", 10_000)]
    [InlineData("1.5s", 1_500)]
    [InlineData("10m", 600_000)]
    [InlineData("10min", 600_000)]
    [InlineData("1m30s", 90_000)]
    [InlineData("2h", 7_200_000)]
    [InlineData("168h", 604_800_000)]
    public void ReadsNumbersWithUnits(string text, double milliseconds)
    {
        Duration.TryParse(text, out var duration).ShouldBeTrue();
        duration.TotalMilliseconds.ShouldBe(milliseconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("s")]
    [InlineData("0s")]
    [InlineData("-5s")]
    [InlineData("10 s")]
    [InlineData("10S")]
    [InlineData("1.2.3s")]
    [InlineData("1e3s")]
    [InlineData("169h")]
    [InlineData("100h100h")]
    [InlineData("99999999999999999999999999h")]
    [InlineData("ms10")]
    public void RefusesWhatIsAmbiguousOrOutOfRange(string text) => Duration.TryParse(text, out _).ShouldBeFalse();

    [Theory]
    [InlineData(0, "0 ms")]
    [InlineData(0.43, "0.4 ms")]
    [InlineData(231.4, "231 ms")]
    [InlineData(999.6, "1.0 s")]
    [InlineData(8_400, "8.4 s")]
    [InlineData(59_960, "1 min 00 s")]
    [InlineData(125_000, "2 min 05 s")]
    [InlineData(3_599_600, "1 h 00 min")]
    [InlineData(11_400_000, "3 h 10 min")]
    [InlineData(-1.2, "-1.2 ms")]
    public void PrintsTheUnitThatFits(double milliseconds, string text) => Duration.FormatMilliseconds(milliseconds).ShouldBe(text);

    [Theory]
    [InlineData(-3, "0.0 s")]
    [InlineData(0.52, "0.5 s")]
    [InlineData(61, "1 min 01 s")]
    public void ARunningClockStartsWithSeconds(double seconds, string text) => Duration.FormatElapsed(TimeSpan.FromSeconds(seconds)).ShouldBe(text);

    [Theory]
    [InlineData(-1, "0 B/s")]
    [InlineData(512, "512 B/s")]
    [InlineData(1_500_000, "1.5 MB/s")]
    [InlineData(910e6, "910 MB/s")]
    [InlineData(999.9e6, "1.0 GB/s")]
    public void RatesAreDecimal(double bytesPerSecond, string text) => ByteRate.Format(bytesPerSecond).ShouldBe(text);
}
