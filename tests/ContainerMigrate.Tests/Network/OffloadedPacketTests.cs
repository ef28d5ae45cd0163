using System.Buffers.Binary;
using ContainerMigrate.Linux.Network;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Network;

public sealed class OffloadedPacketTests
{
    private const int Mtu = 1500;

    [Theory]
    [InlineData("192.0.2.50", SamplePacket.Tcp, 100)]
    [InlineData("192.0.2.50", SamplePacket.Tcp, 0)]
    [InlineData("192.0.2.50", SamplePacket.Tcp, 1)]
    [InlineData("192.0.2.50", SamplePacket.Udp, 101)]
    [InlineData("2001:db8::50", SamplePacket.Tcp, 99)]
    [InlineData("2001:db8::50", SamplePacket.Udp, 1000)]
    public void GetsItsChecksum(string destination, byte protocol, int bytes)
    {
        var packet = SamplePacket.Create(destination, protocol, bytes);

        Finish(SamplePacket.WithoutChecksum(packet)).ShouldHaveSingleItem().ShouldBe(packet);
        Finish(packet).ShouldHaveSingleItem().ShouldBe(packet);
    }

    [Fact]
    public void IsNotGivenARightChecksumWhenItIsDamaged()
    {
        var packet = SamplePacket.Create("192.0.2.50", SamplePacket.Tcp, 100);
        packet[^5] ^= 4;

        Finish(packet).ShouldBeEmpty();
    }

    [Fact]
    public void StaysWithoutChecksumWhereItsSenderWantedNone()
    {
        var packet = SamplePacket.Create("192.0.2.50", SamplePacket.Udp, 20);
        packet.AsSpan(SamplePacket.ChecksumAt(packet), 2).Clear();

        Finish(packet).ShouldHaveSingleItem().ShouldBe(packet);
    }

    [Theory]
    [InlineData(0x20)] // more fragments
    [InlineData(0x01)] // not the first
    public void StaysAsItIsWhenItIsAFragment(byte fragment)
    {
        var packet = SamplePacket.WithoutChecksum(SamplePacket.Create("192.0.2.50", SamplePacket.Udp, 20));
        packet[6] = fragment;

        Finish(packet).ShouldHaveSingleItem().ShouldBe(packet);
    }

    [Theory]
    [InlineData("192.0.2.50")]
    [InlineData("2001:db8::50")]
    public void IsCutToTheLinksSizeWhenSegmentsWereMerged(string destination)
    {
        const byte Final = 0x01, Push = 0x08, Acknowledge = 0x10, WindowReduced = 0x80;
        var merged = SamplePacket.Create(destination, SamplePacket.Tcp, 5000, Final | Push | Acknowledge | WindowReduced);

        var segments = Finish(SamplePacket.WithoutChecksum(merged));

        segments.Count.ShouldBe(4);
        segments.ShouldAllBe(s => s.Length <= Mtu && SamplePacket.IsRight(s));
        segments.ShouldAllBe(s => IPPacket.Read(s) != null && IPPacket.Read(s)!.Value.IsKept);
        segments.SelectMany(SamplePacket.Content).ShouldBe(SamplePacket.Content(merged));
        segments.Select(Flags).ShouldBe([Acknowledge | WindowReduced, Acknowledge, Acknowledge, Final | Push | Acknowledge]);
        var expected = Sequence(merged);
        foreach (var segment in segments)
        {
            Sequence(segment).ShouldBe(expected); // over 2^32 too: the sample is near it
            expected = unchecked(expected + (uint)SamplePacket.Content(segment).Length);
        }
    }

    private static List<byte[]> Finish(byte[] packet)
    {
        List<byte[]> given = [];
        OffloadedPacket.Finish(packet, Mtu, p => given.Add(p.ToArray()));
        return given;
    }

    private static int Flags(byte[] packet) => packet[SamplePacket.HeaderBytes(packet) + 13];

    private static uint Sequence(byte[] packet) => BinaryPrimitives.ReadUInt32BigEndian(packet.AsSpan(SamplePacket.HeaderBytes(packet) + 4));
}
