using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

public sealed class PhaseClockTests
{
    private readonly ManualTime _time = new();
    private readonly PhaseClock _clock;

    public PhaseClockTests() => _clock = new PhaseClock(_time);

    [Fact]
    public void PartsAreInOrderAndAddUp()
    {
        Spend("freeze", 5);
        Spend("dump", 100);
        Spend("freeze", 2.04);

        _clock.Parts.ShouldBe(new Dictionary<string, double> { ["freeze"] = 7, ["dump"] = 100 });
        _clock.TotalMs.ShouldBe(107.04);
    }

    [Fact]
    public void RestartForgetsWhatWas()
    {
        Spend("reserve", 1000);

        _clock.Restart();
        Spend("freeze", 5);

        _clock.Parts.Keys.ShouldBe(["freeze"]);
        _clock.TotalMs.ShouldBe(5);
    }

    [Fact]
    public void PeersPartsTakeTheirPlaceAndLeaveTheRest()
    {
        Spend("dump", 10);
        Spend("restore", 100);

        _clock.Split("restore", new Dictionary<string, double> { ["wait"] = 20, ["criu"] = 70 });

        _clock.Parts.Select(p => (p.Key, p.Value)).ShouldBe([("dump", 10), ("wait", 20), ("criu", 70), ("restore", 10)]);
    }

    [Theory]
    [InlineData(30, 70)]
    [InlineData(1e9, 0)]
    [InlineData(-5, 100)]
    public void WhatThePeerDidAfterwardsDoesNotCount(double afterwards, double total)
    {
        Spend("go", 100);
        _clock.Split("go", new Dictionary<string, double> { ["resume"] = 40, ["afterwards"] = afterwards });

        _clock.Leave("afterwards");

        _clock.TotalMs.ShouldBe(total);
        _clock.Parts.Keys.ShouldNotContain("afterwards");
    }

    [Fact]
    public void PeerThatClaimsMoreThanTheWholeLeavesNothingNegative()
    {
        Spend("restore", 10);

        _clock.Split("restore", new Dictionary<string, double> { ["criu"] = 70 });

        _clock.Parts["restore"].ShouldBe(0);
    }

    [Fact]
    public void NothingToSplitChangesNothing()
    {
        Spend("restore", 10);

        _clock.Split("restore", null);
        _clock.Split("go", new Dictionary<string, double> { ["commit"] = 1 });

        _clock.Parts.ShouldBe(new Dictionary<string, double> { ["restore"] = 10 });
    }

    private void Spend(string part, double milliseconds)
    {
        _time.Advance(TimeSpan.FromMilliseconds(milliseconds));
        _clock.Mark(part);
    }
}
