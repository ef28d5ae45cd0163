using System.Net;
using ContainerMigrate.Linux.Network;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Network;

public sealed class IPPacketTests
{
    [Theory]
    [InlineData("192.0.2.50", SamplePacket.Tcp)]
    [InlineData("192.0.2.50", SamplePacket.Udp)]
    [InlineData("2001:db8::50", SamplePacket.Tcp)]
    [InlineData("2001:db8::50", SamplePacket.Udp)]
    public void IsKeptWhenAClientSentIt(string destination, byte protocol)
    {
        var packet = IPPacket.Read(SamplePacket.Create(destination, protocol, 10));

        packet.ShouldNotBeNull();
        packet.Value.IsKept.ShouldBeTrue();
        packet.Value.Destination.ShouldBe(IPAddress.Parse(destination));
        packet.Value.EthernetType.ShouldBe(destination.Contains(':') ? (ushort)0x86DD : (ushort)0x0800);
    }

    [Theory]
    [InlineData(128, true)] // echo request
    [InlineData(129, false)]
    [InlineData(134, false)] // router advertisement
    [InlineData(135, false)] // neighbour solicitation
    [InlineData(136, false)]
    public void OfNeighbourDiscoveryIsNotKept(byte type, bool kept)
    {
        var packet = SamplePacket.Create("2001:db8::50", 58, 24);
        packet[40] = type;

        IPPacket.Read(packet)!.Value.IsKept.ShouldBe(kept);
    }

    [Theory]
    [InlineData(1, 8, true)] // ICMP echo request
    [InlineData(1, 0, false)]
    [InlineData(1, 5, false)] // redirect
    [InlineData(2, 0, false)] // IGMP
    [InlineData(89, 0, false)] // OSPF
    public void OfTheNetworkItselfIsNotKept(byte protocol, byte type, bool kept)
    {
        var packet = SamplePacket.Create("192.0.2.50", protocol, 24);
        packet[20] = type;

        IPPacket.Read(packet)!.Value.IsKept.ShouldBe(kept);
    }

    [Theory]
    [InlineData("192.0.2.50")]
    [InlineData("2001:db8::50")]
    public void IsNoneWhereItsLengthIsNotTheOneItSays(string destination)
    {
        var packet = SamplePacket.Create(destination, SamplePacket.Tcp, 10);

        IPPacket.Read([.. packet, 0]).ShouldBeNull();
        for (var length = 0; length < packet.Length; length++)
        {
            IPPacket.Read(packet.AsSpan(0, length)).ShouldBeNull();
        }
    }

    [Theory]
    [InlineData(0x44)] // a header of 16 bytes
    [InlineData(0x4F)] // a header longer than all of it
    [InlineData(0x55)]
    [InlineData(0x00)]
    public void IsNoneWithAnotherHeader(byte first)
    {
        var packet = SamplePacket.Create("192.0.2.50", SamplePacket.Udp, 2);
        packet[0] = first;

        IPPacket.Read(packet).ShouldBeNull();
    }

    [Fact]
    public void OfAnyBytesIsReadWithoutHarm()
    {
        var random = new Random(20261121);
        var bytes = new byte[128];
        for (var i = 0; i < 100_000; i++)
        {
            random.NextBytes(bytes);
            bytes[0] = (byte)((bytes[0] & 0xF) | (i % 2 == 0 ? 0x40 : 0x60));
            var packet = bytes.AsSpan(0, random.Next(bytes.Length)).ToArray();
            if (packet.Length >= 40)
            {
                packet[i % 2 == 0 ? 3 : 5] = (byte)(i % 2 == 0 ? packet.Length : packet.Length - 40);
                packet[i % 2 == 0 ? 2 : 4] = 0;
            }

            if (IPPacket.Read(packet) is not null)
            {
                OffloadedPacket.Finish(packet, 68, _ => { });
            }
        }
    }
}
