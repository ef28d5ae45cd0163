using ContainerMigrate.Api;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

/// <summary>An operator decides what the two hosts cannot, and one of them says the opposite later.</summary>
public sealed class ResolveTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ContainerIsTakenBackFromADestinationThatNeverCommitted()
    {
        using var hosts = new TwoHosts();
        var migration = await InDoubtAsync(hosts, lost: "request");

        (await hosts.Progress!.Decision.DecideAsync(Winners.Source)).ShouldBeNull();
        await migration;

        hosts.From.Runs.ShouldBeTrue(hosts.Trace);
        (hosts.Status.Phase, hosts.Status.ExitCode, hosts.Status.SourceState, hosts.Status.DestinationState).ShouldBe((MigrationPhase.Aborted, ExitCodes.FailedSourceRunning, "running", "unknown"));
        (hosts.SourceJournal.Epoch, hosts.SourceJournal.IsClosed, ResolvedDeparture.HasToTell(hosts.SourceJournal)).ShouldBe((2, true, true));

        Heal(hosts);
        await TellAsync(hosts);

        hosts.ShouldRunOnSource();
        hosts.Status.DestinationState.ShouldBe("absent");
        ResolvedDeparture.HasToTell(hosts.SourceJournal).ShouldBeFalse();
    }

    [Fact]
    public async Task CopyOfADestinationThatHadCommittedIsHeldStill()
    {
        using var hosts = new TwoHosts();
        await ConflictAsync(hosts);
        hosts.To.Runs.ShouldBeTrue(); // what the operator was warned of

        Heal(hosts);
        await TellAsync(hosts);

        (hosts.From.Runs, hosts.To.Runs, hosts.To.Refused, hosts.To.Fenced).ShouldBe((true, false, true, true), hosts.Trace);
        hosts.Status.Failure!.Cause.ShouldContain("CONFLICT");
        hosts.Status.DestinationState.ShouldBe("frozen");
        var there = hosts.Destination.Index.Find(TwoHosts.Id)!.Status;
        there.EndedAt.ShouldBeNull(); // it stays in `status`
        there.Activity.ShouldContain("CONFLICT");
        there.Failure!.NextStep!.ShouldContain("docker rm -f web");
    }

    [Fact]
    public async Task HeldCopyStaysSoAcrossARestartAndGoesWhenItIsRemoved()
    {
        using var hosts = new TwoHosts();
        await ConflictAsync(hosts);
        Heal(hosts);
        await TellAsync(hosts);
        hosts.Destination.Kill();
        hosts.To.StandsStill = false; // as after a reboot
        hosts.RestartDestination();

        await hosts.RecoverDestinationAsync();

        hosts.To.Runs.ShouldBeFalse(hosts.Trace);
        hosts.To.Arrival = null;
        await hosts.Until(() =>
        {
            hosts.Time.Advance(TimeSpan.FromSeconds(2));
            return hosts.DestinationJournal.IsClosed;
        });
        hosts.To.Refused.ShouldBeFalse();
        hosts.Destination.Index.FindActive("docker", "web").ShouldBeNull();
    }

    [Fact]
    public async Task LateMessagesOfTheOldEpochChangeNothing()
    {
        using var hosts = new TwoHosts();
        await ConflictAsync(hosts);
        Heal(hosts);
        await TellAsync(hosts);
        var records = hosts.DestinationJournal.Records.Count;

        await Should.ThrowAsync<MigrationException>(() => hosts.Peer.GoAsync(TwoHosts.Id, new GoRequest(1, []), Token));
        (await hosts.Peer.FinishAsync(TwoHosts.Id, Token)).Phase.ShouldBe(MigrationPhase.Committed);
        (await hosts.Peer.AbortAsync(TwoHosts.Id, new AbortRequest(1, "late"), Token)).Overruled.ShouldBeTrue();
        (await hosts.Peer.AbortAsync(TwoHosts.Id, new AbortRequest(2, "again"), Token)).Overruled.ShouldBeTrue();

        hosts.To.Runs.ShouldBeFalse();
        hosts.DestinationJournal.Records.Count.ShouldBe(records);
    }

    [Fact]
    public async Task ContainerIsLeftToADestinationThatCannotAnswer()
    {
        using var hosts = new TwoHosts();
        var migration = await InDoubtAsync(hosts, lost: "answer");
        hosts.Peer.LosesRequest = c => c is "go" or "settle";

        (await hosts.Progress!.Decision.DecideAsync(Winners.Destination)).ShouldBeNull();
        await migration;

        hosts.Status.ExitCode.ShouldBe(ExitCodes.Done);
        hosts.ShouldRunOnDestination();
    }

    [Fact]
    public async Task ContainerThatWasLeftToNobodyIsSaidToBeLost()
    {
        using var hosts = new TwoHosts();
        var migration = await InDoubtAsync(hosts, lost: "request");
        (await hosts.Progress!.Decision.DecideAsync(Winners.Destination)).ShouldBeNull();
        await hosts.Until(() => hosts.Source.Log.Contains("call finish"));
        hosts.Destination.Kill();
        hosts.RestartDestination();
        await hosts.RecoverDestinationAsync();

        await migration;
        await hosts.SettleAsync();
        (hosts.Status.ExitCode ?? ExitCodes.Lost).ShouldBe(ExitCodes.Lost);
        hosts.SourceJournal.Value(JournalKeys.ExitCode)!.GetValue<int>().ShouldBe(ExitCodes.Lost);
    }

    [Fact]
    public async Task DestinationThatRunsItMayLetItMoveOn()
    {
        using var hosts = new TwoHosts();
        var migration = await InDoubtAsync(hosts, lost: "answer");

        await hosts.Destination.Arrivals.Get(TwoHosts.Id, "h1").ResolveAsync(Token);

        hosts.Destination.Index.FindActive("docker", "web").ShouldBeNull();
        Heal(hosts);
        await migration;
        hosts.ShouldRunOnDestination();
    }

    [Fact]
    public async Task NothingIsDecidedThatIsNotInDoubt()
    {
        using var hosts = new TwoHosts();
        await hosts.MigrateAsync();

        (await hosts.Progress!.Decision.DecideAsync(Winners.Source)).ShouldNotBeNull();

        hosts.ShouldRunOnDestination();
    }

    private static async Task ConflictAsync(TwoHosts hosts)
    {
        var migration = await InDoubtAsync(hosts, lost: "answer");
        (await hosts.Progress!.Decision.DecideAsync(Winners.Source)).ShouldBeNull();
        await migration;
        hosts.From.Runs.ShouldBeTrue(hosts.Trace);
    }

    // The source has recorded GO, and hears nothing.
    private static async Task<Task> InDoubtAsync(TwoHosts hosts, string lost)
    {
        if (lost == "request")
        {
            hosts.Peer.LosesRequest = c => c is "go" or "abort";
        }
        else
        {
            hosts.Peer.LosesAnswer = c => c is "go" or "abort";
        }

        var migration = hosts.MigrateAsync();
        await hosts.Until(() => hosts.Progress?.Status.Phase == MigrationPhase.InDoubt && (lost == "request" || hosts.To.Arrival is { Running: true }));
        return migration;
    }

    private static void Heal(TwoHosts hosts) => (hosts.Peer.LosesRequest, hosts.Peer.LosesAnswer) = (_ => false, _ => false);

    private static Task TellAsync(TwoHosts hosts) =>
        new ResolvedDeparture(hosts.Source.Environment, NullLogger.Instance).TellAsync(hosts.SourceJournal, hosts.Peer, hosts.Progress!, Token).WaitAsync(TimeSpan.FromSeconds(20), Token);
}
