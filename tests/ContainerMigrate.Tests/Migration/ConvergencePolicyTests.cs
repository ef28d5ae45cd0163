using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

public sealed class ConvergencePolicyTests
{
    private const double FixedMs = 200;
    private const double BytesPerMs = 500_000;

    private readonly ConvergencePolicy _policy = new(TimeSpan.FromMilliseconds(300));

    [Fact]
    public void StopsWhenPredictedPauseFitsTheLimit() => After(1000, 100, 40).ShouldBe(ConvergenceStep.SwitchOver);

    [Fact]
    public void CopiesAgainWhileTheDirtySetFalls() => After(4000, 2000, 1000, 500).ShouldBe(ConvergenceStep.CopyAgain);

    [Fact]
    public void StallsWhenTheDirtySetNoLongerFalls() => After(4000, 400, 390, 395).ShouldBe(ConvergenceStep.Stalled);

    [Fact]
    public void OneBusyMomentIsNoStall() => After(4000, 400, 390, 200).ShouldBe(ConvergenceStep.CopyAgain);

    [Fact]
    public void StallsWhenTheTimeIsOver() => Decide(4000, isLate: true).ShouldBe(ConvergenceStep.Stalled);

    [Fact]
    public void SwitchesWhenOnlyTheFixedCostIsLeft()
    {
        var policy = new ConvergencePolicy(TimeSpan.FromMilliseconds(100));

        policy.Decide(1 << 20, 2, FixedMs + 2, isLate: false).Step.ShouldBe(ConvergenceStep.SwitchOver);
    }

    [Fact]
    public void NeverGoesOnForEver()
    {
        for (var dirty = 1e9; dirty > 1; dirty *= 0.79)
        {
            if (_policy.Decide((long)dirty, 1000, 1200, isLate: false).Step == ConvergenceStep.Stalled)
            {
                return;
            }
        }

        Assert.Fail("no end");
    }

    [Fact]
    public void ASlowerContainerGetsANewChance()
    {
        After(4000, 400, 390, 395).ShouldBe(ConvergenceStep.Stalled);
        _policy.BeginAnew();

        Decide(390).ShouldBe(ConvergenceStep.CopyAgain);
    }

    [Fact]
    public void SaysWhy() =>
        _policy.Decide(20_000_000, 40, 240, isLate: false).Reason.ShouldBe("a pause of 240 ms fits the limit of 300");

    private ConvergenceStep After(params int[] dirtyMegabytes) => dirtyMegabytes.Select(d => Decide(d)).ToList()[^1];

    private ConvergenceStep Decide(int dirtyMegabytes, bool isLate = false)
    {
        var copyMs = dirtyMegabytes * 1e6 / BytesPerMs;
        return _policy.Decide((long)(dirtyMegabytes * 1e6), copyMs, FixedMs + copyMs, isLate).Step;
    }
}
