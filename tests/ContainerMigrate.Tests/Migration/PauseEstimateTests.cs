using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

public sealed class PauseEstimateTests(ITestOutputHelper output)
{
    private const int Kept = 32;

    private readonly Random _random = new(11);

    [Fact]
    public void WithoutHistoryItIsTheConstants()
    {
        var estimate = new PauseEstimate([]);

        estimate.CountOf(MigrationModes.PreCopy).ShouldBe(0);
        estimate.PreCopy(Samples.Manifest()).ShouldBe(DowntimeEstimate.PreCopy(Samples.Manifest()));
        estimate.StopAndCopyMs(Samples.Manifest()).ShouldBe(DowntimeEstimate.StopAndCopyMs(64 << 20, 1 << 20, 0, 2));
    }

    /// <summary>Hosts whose costs have little to do with the constants, and pauses that vary by 10 % each way.</summary>
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(0.4, 1, 0.2)]
    [InlineData(3, 2, 3)]
    [InlineData(0.5, 4, 5)]
    public void NineOfTenAreWithinThirtyPercentAfterAFew(double fixedFactor, double processFactor, double memoryFactor)
    {
        var (within, all) = (0, 0);
        for (var pair = 0; pair < 10; pair++)
        {
            List<PauseSample> history = [];
            for (var i = 0; i < 30; i++)
            {
                var sample = Migrate(fixedFactor, processFactor, memoryFactor);
                if (history.Count >= 5)
                {
                    all++;
                    within += Math.Abs(Predict(history, sample) - sample.PauseMs) <= 0.3 * sample.PauseMs ? 1 : 0;
                }

                history.Add(sample);
            }
        }

        output.WriteLine($"{within} of {all} within 30 %");
        within.ShouldBeGreaterThanOrEqualTo(9 * all / 10);
    }

    [Fact]
    public void OneThatWasFarOffDoesNotSpoilTheNext()
    {
        List<PauseSample> history = [.. Enumerable.Range(0, 6).Select(_ => Migrate(1, 1, 1))];
        var next = Migrate(1, 1, 1);
        var before = Predict(history, next);

        history.Add(Migrate(1, 1, 1) with { PauseMs = 60_000 });

        Predict(history, next).ShouldBe(before, 0.15 * before);
    }

    [Fact]
    public void AChangeIsLearned()
    {
        List<PauseSample> history = [.. Enumerable.Range(0, Kept).Select(_ => Migrate(1, 1, 1))];

        for (var i = 0; i < Kept; i++)
        {
            history.RemoveAt(0);
            history.Add(Migrate(0.3, 1, 1));
        }

        var next = Migrate(0.3, 1, 1);
        Predict(history, next).ShouldBe(next.PauseMs, 0.25 * next.PauseMs);
    }

    [Fact]
    public void WhatCopyingTakesIsLearned()
    {
        List<PauseSample> history = [.. Enumerable.Range(0, 12).Select(i => Migrate(1, 1, 1)).Select((s, i) => s with { CopyMs = 100 * i, PauseMs = s.PauseMs + (300 * i) })];

        new PauseEstimate(history).PreCopy(Samples.Manifest()).CopyFactor.ShouldBe(3, 0.6);
    }

    [Fact]
    public void CopyingIsNeverTakenForCheaperThanTheConnection()
    {
        List<PauseSample> history = [.. Enumerable.Range(0, 12).Select(i => Migrate(0.5, 1, 1) with { CopyMs = 100 * i })];

        new PauseEstimate(history).PreCopy(Samples.Manifest()).CopyFactor.ShouldBe(1);
    }

    [Fact]
    public void ModesAreToldApart()
    {
        var estimate = new PauseEstimate([.. Enumerable.Range(0, 4).Select(_ => Migrate(3, 1, 1))]);

        estimate.CountOf(MigrationModes.PreCopy).ShouldBe(4);
        estimate.CountOf(MigrationModes.StopAndCopy).ShouldBe(0);
        estimate.StopAndCopyMs(Samples.Manifest()).ShouldBe(new PauseEstimate([]).StopAndCopyMs(Samples.Manifest()));
    }

    [Fact]
    public void StaysANumberWhateverTheHistory()
    {
        var huge = new PauseSample { Mode = MigrationModes.PreCopy, Processes = 1 << 30, MemoryBytes = 1L << 50, LayerBytes = 1L << 50, LayerEntries = 1 << 30, CopyMs = 3_600_000, PauseMs = 0.001 };
        huge.IsValid.ShouldBeTrue();
        List<PauseSample> history = [huge, huge with { PauseMs = 3_600_000 }, huge with { Processes = 0, MemoryBytes = 0, LayerBytes = 0, LayerEntries = 0, CopyMs = 0 }];

        double.IsFinite(new PauseEstimate(history).PreCopy(Samples.Manifest()).TotalMs).ShouldBeTrue();
    }

    private static double Predict(List<PauseSample> history, PauseSample sample)
    {
        var prediction = new PauseEstimate([.. history.TakeLast(Kept)]).PreCopy(Samples.Manifest() with
        {
            ProcessCount = sample.Processes, MemoryBytes = sample.MemoryBytes, WritableLayerBytes = sample.LayerBytes, WritableLayerEntries = sample.LayerEntries,
        });
        return prediction.TotalMs + (prediction.CopyFactor * sample.CopyMs);
    }

    private PauseSample Migrate(double fixedFactor, double processFactor, double memoryFactor)
    {
        var sample = new PauseSample
        {
            Mode = MigrationModes.PreCopy, Processes = _random.Next(1, 30), MemoryBytes = _random.NextInt64(16 << 20, 4L << 30), LayerBytes = _random.Next(1 << 20), CopyMs = _random.Next(60),
        };
        var nothing = Samples.Manifest() with { ProcessCount = 0, MemoryBytes = 0, WritableLayerBytes = 0 };
        var alone = DowntimeEstimate.PreCopy(nothing).TotalMs;
        var process = DowntimeEstimate.PreCopy(nothing with { ProcessCount = 1 }).TotalMs - alone;
        var gibibyte = DowntimeEstimate.PreCopy(nothing with { MemoryBytes = 1 << 30 }).TotalMs - alone;
        var pause = (fixedFactor * alone) + (processFactor * process * sample.Processes) + (memoryFactor * gibibyte * sample.MemoryBytes / (1 << 30)) + sample.CopyMs;
        return sample with { PauseMs = pause * (0.9 + (0.2 * _random.NextDouble())) };
    }
}
