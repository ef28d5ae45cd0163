using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

public sealed class BandwidthLimitTests
{
    private readonly ManualTime _time = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void WithoutALimitNothingWaits() =>
        new BandwidthLimit(null, _time).TakeAsync(int.MaxValue, Cancellation).IsCompleted.ShouldBeTrue();

    [Fact]
    public void WhatExceedsTheBurstWaitsForItsTurn()
    {
        // 8 Mbit/s are 1 MB/s; a tenth of a second's worth may go at once.
        var limit = new BandwidthLimit(8_000_000, _time);
        limit.TakeAsync(100_000, Cancellation).IsCompleted.ShouldBeTrue();
        var second = limit.TakeAsync(1_000_000, Cancellation);
        second.IsCompleted.ShouldBeFalse();
        limit.TakeAsync(1_000_000, Cancellation).IsCompleted.ShouldBeFalse();
    }
}
