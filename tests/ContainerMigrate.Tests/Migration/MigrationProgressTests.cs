using ContainerMigrate.Api;
using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

public sealed class MigrationProgressTests
{
    private readonly ManualTime _time = new();
    private readonly MigrationProgress _progress;

    public MigrationProgressTests() => _progress = new MigrationProgress(
        new MigrationStatus { Id = "1", Role = "source", Container = "web", Runtime = "docker", Source = "h1", Destination = "h2", Phase = MigrationPhase.New }, _time);

    [Fact]
    public void NoUpdateIsLost()
    {
        Parallel.For(0, 1000, _ => _progress.Update(s => s with { SentBytes = s.SentBytes + 1 }));

        _progress.Status.SentBytes.ShouldBe(1000);
    }

    [Fact]
    public async Task WhoTakesTheSignalBeforeTheStatusMissesNothing()
    {
        const int Last = 2000;
        var writer = Task.Run(
            () =>
            {
                for (var i = 1; i <= Last; i++)
                {
                    _progress.Update(s => s with { SentBytes = i });
                }
            },
            TestContext.Current.CancellationToken);
        long seen;
        do
        {
            var changed = _progress.Changed;
            seen = _progress.Status.SentBytes;
            await (seen == Last ? Task.CompletedTask : changed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        }
        while (seen < Last);

        await writer;
    }

    [Fact]
    public void EachChangeHasASignalOfItsOwn()
    {
        var first = _progress.Changed;
        first.IsCompleted.ShouldBeFalse();

        _progress.Say("dumping");

        first.IsCompleted.ShouldBeTrue();
        _progress.Changed.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public void TransferTellsBytesAndRate()
    {
        var report = _progress.BeginTransfer("sending", 1000);
        _time.Advance(TimeSpan.FromSeconds(2));

        report.Report(500);

        var status = _progress.Status;
        (status.Activity, status.TotalBytes, status.SentBytes, status.BytesPerSecond).ShouldBe(("sending", 1000, 500, 250));
    }

    [Fact]
    public void TransferThatGrowsMovesItsEnd()
    {
        _progress.BeginTransfer("sending", 1000).Report(1500);

        _progress.Status.TotalBytes.ShouldBe(1500);
        _progress.Status.BytesPerSecond.ShouldBe(0); // no time has passed
    }

    [Fact]
    public void NothingIsBeingSentOnceSomethingElseIsDone()
    {
        _progress.BeginTransfer("sending", 1000).Report(500);

        _progress.Say("restoring");

        var status = _progress.Status;
        (status.Activity, status.TotalBytes, status.SentBytes, status.BytesPerSecond).ShouldBe(("restoring", 0, 0, 0));
    }
}
