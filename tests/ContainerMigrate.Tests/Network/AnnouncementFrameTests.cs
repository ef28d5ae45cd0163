using System.Net;
using ContainerMigrate.Linux.Network;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Network;

public sealed class AnnouncementFrameTests
{
    private static readonly MacAddress Mac = MacAddress.Parse("02:42:0a:4d:00:32");
    private static readonly IPAddress Address = IPAddress.Parse("10.77.0.50");
    private static readonly IPAddress Gateway = IPAddress.Parse("10.77.0.1");
    private static readonly IPAddress Address6 = IPAddress.Parse("fd00:77::50");
    private static readonly IPAddress Gateway6 = IPAddress.Parse("fd00:77::1");

    private const string Padding = "000000000000000000000000000000000000";

    [Fact]
    public void ReverseArpAsksForItself() => // RFC 903
        Hex(ArpFrame.ReverseQuestion(Mac)).ShouldBe(
            "ffffffffffff" + "02420a4d0032" + "8035" + "0001" + "0800" + "06" + "04" + "0003"
            + "02420a4d0032" + "00000000" + "02420a4d0032" + "00000000" + Padding);

    [Fact]
    public void AnnouncementIsARequestForItself() => // RFC 5227, 2.3
        Hex(ArpFrame.Announcement(Mac, Address)).ShouldBe(
            "ffffffffffff" + "02420a4d0032" + "0806" + "0001" + "0800" + "06" + "04" + "0001"
            + "02420a4d0032" + "0a4d0032" + "000000000000" + "0a4d0032" + Padding);

    [Fact]
    public void UnsolicitedReplyNamesItselfTwice() => // RFC 5944, 4.6
        Hex(ArpFrame.UnsolicitedReply(Mac, Address)).ShouldBe(
            "ffffffffffff" + "02420a4d0032" + "0806" + "0001" + "0800" + "06" + "04" + "0002"
            + "02420a4d0032" + "0a4d0032" + "02420a4d0032" + "0a4d0032" + Padding);

    [Fact]
    public void QuestionComesFromTheAddress() => // RFC 826
        Hex(ArpFrame.Question(Mac, Address, Gateway)).ShouldBe(
            "ffffffffffff" + "02420a4d0032" + "0806" + "0001" + "0800" + "06" + "04" + "0001"
            + "02420a4d0032" + "0a4d0032" + "000000000000" + "0a4d0001" + Padding);

    [Fact]
    public void ProbeClaimsNoAddress() => // RFC 5227, 2.1.1
        Hex(ArpFrame.Probe(Mac, Address)).ShouldBe(
            "ffffffffffff" + "02420a4d0032" + "0806" + "0001" + "0800" + "06" + "04" + "0001"
            + "02420a4d0032" + "00000000" + "000000000000" + "0a4d0032" + Padding);

    [Fact]
    public void AdvertisementOverrides() => // RFC 4861, 7.2.6
        Hex(NeighbourFrame.UnsolicitedAdvertisement(Mac, Address6)).ShouldBe(
            "333300000001" + "02420a4d0032" + "86dd"
            + "60000000" + "0020" + "3a" + "ff" + "fd000077000000000000000000000050" + "ff020000000000000000000000000001"
            + "88" + "00" + "4e4f" + "20000000" + "fd000077000000000000000000000050" + "0201" + "02420a4d0032");

    [Fact]
    public void SolicitationGoesToTheSolicitedNode() => // RFC 4861, 4.3
        Hex(NeighbourFrame.Question(Mac, Address6, Gateway6)).ShouldBe(
            "3333ff000001" + "02420a4d0032" + "86dd"
            + "60000000" + "0020" + "3a" + "ff" + "fd000077000000000000000000000050" + "ff0200000000000000000001ff000001"
            + "87" + "00" + "719c" + "00000000" + "fd000077000000000000000000000001" + "0101" + "02420a4d0032");

    [Fact]
    public void DuplicateProbeComesFromNobody() => // RFC 4862, 5.4.2
        Hex(NeighbourFrame.Probe(Mac, Address6)).ShouldBe(
            "3333ff000050" + "02420a4d0032" + "86dd"
            + "60000000" + "0018" + "3a" + "ff" + "00000000000000000000000000000000" + "ff0200000000000000000001ff000050"
            + "87" + "00" + "7c90" + "00000000" + "fd000077000000000000000000000050");

    [Fact]
    public void ClaimsAreFoundInAnswersOnly()
    {
        ArpFrame.FindClaim(ArpFrame.UnsolicitedReply(Mac, Address), Address).ShouldBe(Mac);
        ArpFrame.FindClaim(ArpFrame.UnsolicitedReply(Mac, Address), Gateway).ShouldBeNull();
        ArpFrame.FindClaim(ArpFrame.Probe(Mac, Address), Address).ShouldBeNull();
        ArpFrame.FindClaim(NeighbourFrame.UnsolicitedAdvertisement(Mac, Address6), Address).ShouldBeNull();
        NeighbourFrame.FindClaim(NeighbourFrame.UnsolicitedAdvertisement(Mac, Address6), Address6).ShouldBe(Mac);
        NeighbourFrame.FindClaim(NeighbourFrame.UnsolicitedAdvertisement(Mac, Address6), Gateway6).ShouldBeNull();
        NeighbourFrame.FindClaim(NeighbourFrame.Probe(Mac, Address6), Address6).ShouldBeNull();
    }

    [Fact]
    public void TruncatedFramesClaimNothing()
    {
        var arp = ArpFrame.UnsolicitedReply(Mac, Address);
        var advertisement = NeighbourFrame.UnsolicitedAdvertisement(Mac, Address6);
        for (var length = 0; length < 42; length++)
        {
            ArpFrame.FindClaim(arp.AsSpan(0, length), Address).ShouldBeNull();
            NeighbourFrame.FindClaim(advertisement.AsSpan(0, length), Address6).ShouldBeNull();
        }
    }

    private static string Hex(byte[] frame) => Convert.ToHexStringLower(frame);
}
