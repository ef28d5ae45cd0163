using ContainerMigrate.Network;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Network;

public sealed class PacketStreamTests
{
    [Fact]
    public async Task CarriesPacketsInOrder()
    {
        var sent = new KeptPackets();
        for (var i = 1; i <= 500; i++)
        {
            sent.Add(Enumerable.Repeat((byte)i, i * 3).ToArray());
        }

        sent.Complete();
        using var wire = new MemoryStream();
        await PacketStream.WriteAsync(wire, sent, CancellationToken.None);
        wire.Position = 0;
        var received = new KeptPackets();
        await PacketStream.ReadAsync(wire, received, CancellationToken.None);

        (received.Count, received.Bytes, received.Dropped).ShouldBe((sent.Count, sent.Bytes, 0));
        for (var i = 0; sent.TryGet(i, out var packet); i++)
        {
            received.TryGet(i, out var copy).ShouldBeTrue();
            copy.ShouldBe(packet);
        }

        wire.Position.ShouldBe(wire.Length);
    }

    [Fact]
    public async Task CarriesEachPacketAtOnce()
    {
        var packets = new KeptPackets();
        using var wire = new MemoryStream();
        var writing = PacketStream.WriteAsync(wire, packets, CancellationToken.None);
        wire.Length.ShouldBe(4); // the connection stands

        packets.Add([1, 2, 3]);
        for (var waited = 0; wire.Length < 11; waited++)
        {
            waited.ShouldBeLessThan(10000);
            await Task.Delay(1, CancellationToken.None);
        }

        packets.Complete();
        await writing;
        wire.ToArray()[4..].ShouldBe([3, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0]);
    }

    [Theory]
    [InlineData("00000000", "no stream of packets")]
    [InlineData("43504B31FFFFFFFF", "a packet of 4294967295 bytes")]
    [InlineData("43504B3100000100", "a packet of 65536 bytes")]
    public async Task IsRefusedWhereItIsNone(string bytes, string reason)
    {
        var packets = new KeptPackets();
        (await Should.ThrowAsync<InvalidDataException>(() => ReadAsync(bytes, packets))).Message.ShouldContain(reason);
        packets.Count.ShouldBe(0);
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("43504B31", 0)]
    [InlineData("43504B3101000000", 0)]
    [InlineData("43504B3101000000AA0200", 1)]
    [InlineData("43504B3101000000AA02000000BB", 1)]
    public async Task ThatEndsEarlyHasBroughtWhatWasWhole(string bytes, int whole)
    {
        var packets = new KeptPackets();
        await Should.ThrowAsync<EndOfStreamException>(() => ReadAsync(bytes, packets));
        packets.Count.ShouldBe(whole);
    }

    [Fact]
    public async Task OfASenderWithoutEndFillsNoMoreThanTheBounds()
    {
        var packets = new KeptPackets();
        byte[] one = [2, 0, 0, 0, 0xAA, 0xBB];
        using var endless = new MemoryStream([0x43, 0x50, 0x4B, 0x31, .. Enumerable.Repeat(one, 3 * KeptPackets.MaxCount).SelectMany(b => b), 0, 0, 0, 0]);
        await PacketStream.ReadAsync(endless, packets, CancellationToken.None);

        (packets.Count, packets.Dropped).ShouldBe((KeptPackets.MaxCount, 2 * KeptPackets.MaxCount));
    }

    private static async Task ReadAsync(string bytes, KeptPackets packets)
    {
        using var stream = new MemoryStream(Convert.FromHexString(bytes));
        await PacketStream.ReadAsync(stream, packets, CancellationToken.None);
    }
}
