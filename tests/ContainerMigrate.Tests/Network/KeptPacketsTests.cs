using ContainerMigrate.Network;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Network;

public sealed class KeptPacketsTests
{
    private readonly KeptPackets _packets = new();

    [Fact]
    public void DropTheNewestBeyondTheirNumber()
    {
        for (var i = 0; i < KeptPackets.MaxCount + 3; i++)
        {
            _packets.Add(BitConverter.GetBytes(i));
        }

        (_packets.Count, _packets.Bytes, _packets.Dropped).ShouldBe((KeptPackets.MaxCount, 4 * KeptPackets.MaxCount, 3));
        _packets.TryGet(0, out var first).ShouldBeTrue();
        BitConverter.ToInt32(first!).ShouldBe(0);
        _packets.TryGet(KeptPackets.MaxCount - 1, out var last).ShouldBeTrue();
        BitConverter.ToInt32(last!).ShouldBe(KeptPackets.MaxCount - 1);
        _packets.TryGet(KeptPackets.MaxCount, out _).ShouldBeFalse();
    }

    [Fact]
    public void DropTheNewestBeyondTheirSize()
    {
        var large = new byte[KeptPackets.MaxPacketBytes];
        for (var i = 0; i < 100; i++)
        {
            _packets.Add(large);
        }

        _packets.Count.ShouldBe(KeptPackets.MaxBytes / KeptPackets.MaxPacketBytes);
        _packets.Bytes.ShouldBeLessThanOrEqualTo(KeptPackets.MaxBytes);
        _packets.Dropped.ShouldBe(100 - _packets.Count);
        _packets.Add([1]); // what still fits is kept
        (_packets.Count, _packets.Dropped).ShouldBe((65, 36));
    }

    [Fact]
    public void TakeNoPacketThatIPDoesNotHave()
    {
        _packets.Add(new byte[KeptPackets.MaxPacketBytes + 1]);

        (_packets.Count, _packets.Dropped).ShouldBe((0, 1));
    }

    [Fact]
    public async Task LetTheirReaderWaitForTheNextOneAndForTheEnd()
    {
        var first = _packets.WaitAsync(0, CancellationToken.None);
        first.IsCompleted.ShouldBeFalse();
        _packets.Add([7]);
        (await first).ShouldBeTrue();
        (await _packets.WaitAsync(0, CancellationToken.None)).ShouldBeTrue();

        var second = _packets.WaitAsync(1, CancellationToken.None);
        second.IsCompleted.ShouldBeFalse();
        _packets.Complete();
        (await second).ShouldBeFalse();
        _packets.Complete();
        (await _packets.WaitAsync(0, CancellationToken.None)).ShouldBeTrue();

        _packets.Add([8]);
        (_packets.Count, _packets.Dropped).ShouldBe((1, 1));
    }

    [Fact]
    public async Task DoNotMakeTheirReaderWaitLongerThanItWants()
    {
        using var end = new CancellationTokenSource();
        var wait = _packets.WaitAsync(0, end.Token);
        await end.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => wait);
    }
}
