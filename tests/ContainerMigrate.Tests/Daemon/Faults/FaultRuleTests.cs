using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Faults;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.Faults;

public sealed class FaultRuleTests
{
    [Fact]
    public void RulesAreSeparatedBySemicolonsOrLines() =>
        FaultRule.ParseAll("source.record.Go:before=kill; target.Restore:after=exit\n# not this one\nfence.Raise:before=delay(3s)\npeer.Send.Memory:after=hold(/run/held);peer.Go:before=error;", FaultPoints.All).ShouldBe(
        [
            new FaultRule("source.record.Go", true, new FaultAction(FaultKind.Kill)),
            new FaultRule("target.Restore", false, new FaultAction(FaultKind.Exit)),
            new FaultRule("fence.Raise", true, new FaultAction(FaultKind.Delay, TimeSpan.FromSeconds(3))),
            new FaultRule("peer.Send.Memory", false, new FaultAction(FaultKind.Hold, File: "/run/held")),
            new FaultRule("peer.Go", true, new FaultAction(FaultKind.Error)),
        ]);

    [Theory]
    [InlineData("source.record.Go")]
    [InlineData("source.record.Go=kill")]
    [InlineData("source.record.Go:during=kill")]
    [InlineData("source.record.Go:before=die")]
    [InlineData("source.record.Go:before=kill(1)")]
    [InlineData("source.record.Go:before=delay")]
    [InlineData("source.record.Go:before=delay(soon)")]
    [InlineData("source.record.Go:before=hold(held)")]
    public void WhatIsNoRuleIsNamed(string rule) =>
        Should.Throw<ConfigurationException>(() => FaultRule.ParseAll(rule, FaultPoints.All)).Message.ShouldContain($"'{rule}'");

    [Fact]
    public void UnknownPointIsAnsweredWithAllThereAre()
    {
        var message = Should.Throw<ConfigurationException>(() => FaultRule.ParseAll("source.record.Reserved:before=kill", FaultPoints.All)).Message;

        message.ShouldContain("'source.record.Reserved'");
        foreach (var point in FaultPoints.All)
        {
            message.ShouldContain("\n  " + point);
        }
    }

    [Fact]
    public void EachRecordAndEachCallOfEitherSideIsAPoint() =>
        FaultPoints.All.ShouldBeSupersetOf(
        [
            "source.record.New", "source.record.Planned", "source.record.PreCopy", "source.record.Frozen", "source.record.Go", "source.record.InDoubt", "source.record.Committed",
            "source.record.Destroyed", "source.record.Done", "source.record.Aborted", "source.record.Closed",
            "destination.record.New", "destination.record.Reserved", "destination.record.Receiving", "destination.record.Prepared", "destination.record.Committed", "destination.record.Done",
            "destination.record.Aborted", "destination.record.Closed",
            "runtime.Destroy", "target.ClaimCommit", "target.Release", "target.TryAbort", "checkpoint.Dump", "dump.Run", "freezer.Freeze", "freezer.Thaw", "fence.Raise", "fence.Lift",
            "peer.Reserve", "peer.Send.Checkpoint", "peer.Prepare", "peer.Go", "peer.Abort", "peer.Settle", "peer.Finish", "source.Fetch", "refusals.Refuse", "arriving.Serve",
        ]);
}

file static class SetAssertions
{
    public static void ShouldBeSupersetOf(this IReadOnlySet<string> set, IEnumerable<string> others) => others.Where(o => !set.Contains(o)).ShouldBeEmpty();
}
