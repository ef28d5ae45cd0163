using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Peers;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.Configuration;

public sealed class TextFormTests
{
    [Theory]
    [InlineData("500ms", 500)]
    [InlineData("10s", 10_000)]
    [InlineData("10m", 600_000)]
    [InlineData("1h", 3_600_000)]
    public void DurationsAreReadAndWritten(string text, double milliseconds)
    {
        DurationText.TryParse(text, out var duration).ShouldBeTrue();
        duration.TotalMilliseconds.ShouldBe(milliseconds);
        DurationText.Format(duration).ShouldBe(text);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("10")]
    [InlineData("1.5s")]
    [InlineData("-1s")]
    [InlineData(" 1s")]
    [InlineData("9999999999h")]
    public void OtherTextsAreNoDurations(string? text) => DurationText.TryParse(text, out _).ShouldBeFalse();

    [Theory]
    [InlineData("500kbit", 500_000)]
    [InlineData("100Mbit", 100_000_000)]
    [InlineData("2.5gbit", 2_500_000_000)]
    public void BitRatesAreDecimal(string text, long bitsPerSecond)
    {
        BitRateText.TryParse(text, out var rate).ShouldBeTrue();
        rate.ShouldBe(bitsPerSecond);
    }

    [Theory]
    [InlineData("h2", "h2", 7440, "h2:7440")]
    [InlineData("h2.example.org:17440", "h2.example.org", 17440, "h2.example.org:17440")]
    [InlineData("10.0.0.2", "10.0.0.2", 7440, "10.0.0.2:7440")]
    [InlineData("2001:db8::2", "2001:db8::2", 7440, "[2001:db8::2]:7440")]
    [InlineData("[2001:db8::2]:1", "2001:db8::2", 1, "[2001:db8::2]:1")]
    public void AddressesAreReadAndWritten(string text, string host, int port, string written)
    {
        PeerAddress.TryParse(text, out var address).ShouldBeTrue();
        address.ShouldBe(new PeerAddress(host, port));
        address.ToString().ShouldBe(written);
        PeerAddress.TryParse(written, out var again).ShouldBeTrue();
        again.ShouldBe(address);
    }

    [Theory]
    [InlineData("")]
    [InlineData(":7440")]
    [InlineData("h2:")]
    [InlineData("h2:0")]
    [InlineData("h2:65536")]
    [InlineData("h2:+1")]
    [InlineData("[h2]:1")]
    [InlineData("[::1")]
    [InlineData("h2/x")]
    [InlineData("h2\n")]
    public void OtherTextsAreNoAddresses(string text) => PeerAddress.TryParse(text, out _).ShouldBeFalse();

    [Fact]
    public void CommandLineTakesItsArgumentsInBothForms()
    {
        CommandLine.Parse(["--config", "/a", "--state-dir=/b"]).ShouldBe(new CommandLine("/a", "/b", false, false, false));
        CommandLine.Parse(["--version"]).ShowVersion.ShouldBeTrue();
        CommandLine.Parse(["--help"]).ShowHelp.ShouldBeTrue();
        CommandLine.Parse(["--allow-faults"]).AllowFaults.ShouldBeTrue();
    }

    [Theory]
    [InlineData("--config")]
    [InlineData("--config=")]
    [InlineData("--verbose")]
    [InlineData("start")]
    [InlineData("--help=yes")]
    public void CommandLineRefusesAnythingElse(string argument) =>
        Should.Throw<ConfigurationException>(() => CommandLine.Parse([argument])).Message.ShouldContain("--help");
}
