using ContainerMigrate.Daemon.Peers.Pairing;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.Peers;

public sealed class PairingCodeTextTests
{
    [Fact]
    public void CodesAreWrittenInFourGroupsAndDiffer()
    {
        var codes = Enumerable.Range(0, 100).Select(_ => PairingCodeText.Generate()).ToList();

        codes.ShouldBeUnique();
        codes.ShouldAllBe(c => c.Length == 19 && c.Split('-').All(group => group.Length == 4));
        foreach (var code in codes)
        {
            PairingCodeText.TryNormalize(code, out var normalized).ShouldBeTrue();
            normalized.ShouldBe(code.Replace("-", "", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("7h2k-q0tv-m4zd-9xae")]
    [InlineData("7H2KQ0TVM4ZD9XAE")]
    [InlineData(" 7H2K QOTV M4ZD 9XAE ")]
    public void WhatPeopleTypeIsUnderstood(string typed)
    {
        PairingCodeText.TryNormalize(typed, out var code).ShouldBeTrue();
        code.ShouldBe("7H2KQ0TVM4ZD9XAE");
    }

    [Theory]
    [InlineData("")]
    [InlineData("7H2K-Q0TV-M4ZD-9XA")]
    [InlineData("7H2K-Q0TV-M4ZD-9XAEE")]
    [InlineData("7H2K-Q0TV-M4ZD-9XAU")]
    [InlineData("7H2K-Q0TV-M4ZD-9XAé")]
    public void AnythingElseIsNoCode(string typed) => PairingCodeText.TryNormalize(typed, out _).ShouldBeFalse();
}
