using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

/// <summary>What a restarted daemon makes of each phase, where it is more than <see cref="CrashTests"/> sees.</summary>
public sealed class RecoveryTests
{
    [Theory]
    [InlineData("record Planned", MigrationPhase.Planned, true)]
    [InlineData("record PreCopy", MigrationPhase.PreCopy, true)]
    [InlineData("record Frozen", MigrationPhase.Frozen, true)]
    [InlineData("fence", MigrationPhase.Frozen, true)]
    [InlineData("call prepare", MigrationPhase.Frozen, true)]
    [InlineData("record Go", MigrationPhase.Go, false)]
    [InlineData("call go", MigrationPhase.Go, false)]
    [InlineData("record Committed", MigrationPhase.Committed, false)]
    [InlineData("destroy", MigrationPhase.Committed, false)]
    [InlineData("record Destroyed", MigrationPhase.Destroyed, false)]
    [InlineData("record Done", MigrationPhase.Done, false)]
    public async Task RestartedSource(string lastStep, MigrationPhase found, bool staysOnSource)
    {
        using var hosts = new TwoHosts();
        KillAfter(hosts.Source, lastStep);
        await hosts.MigrateAsync();
        await Task.Delay(1, TestContext.Current.CancellationToken); // what the destination had begun
        hosts.RestartSource();
        hosts.SourceJournal.Phase.ShouldBe(found);

        await hosts.RecoverSourceAsync();

        if (staysOnSource)
        {
            hosts.ShouldRunOnSource();
            hosts.Status.Failure!.Cause.ShouldContain("restarted before GO");
        }
        else
        {
            hosts.ShouldRunOnDestination();
        }

        hosts.Status.EndedAt.ShouldNotBeNull();
        hosts.Status.SourceState.ShouldBe(staysOnSource ? "running" : "removed");
    }

    [Theory]
    [InlineData("record Reserved", true)]
    [InlineData("create", true)]
    [InlineData("record Receiving", true)]
    [InlineData("begin", true)]
    [InlineData("restore", true)]
    [InlineData("record Prepared", true)]
    [InlineData("claim", false)]
    [InlineData("record Committed", false)]
    [InlineData("release", false)]
    [InlineData("give policy", false)]
    [InlineData("record Done", false)]
    public async Task RestartedDestination(string lastStep, bool staysOnSource)
    {
        using var hosts = new TwoHosts();
        KillAfter(hosts.Destination, lastStep);
        await hosts.MigrateAsync();

        await hosts.SettleAsync();

        if (staysOnSource)
        {
            hosts.ShouldRunOnSource();
        }
        else
        {
            hosts.ShouldRunOnDestination();
        }

        // Or another migration of that container would be refused for ever.
        hosts.Destination.Index.FindActive("docker", "web").ShouldBeNull();
    }

    [Fact]
    public async Task UndecidedContainerIsNotGivenUpUnseen()
    {
        // The claim was made, the gate obeyed it, and neither the record was written nor does the runtime answer the next daemon.
        using var hosts = new TwoHosts();
        KillAfter(hosts.Destination, "claim");
        await hosts.MigrateAsync();
        hosts.To.EndGate();
        hosts.To.Runs.ShouldBeTrue();
        hosts.RestartDestination();
        var down = true;
        hosts.Destination.Before = (s, _) => s is "open" or "remove traces" && down ? throw new MigrationException("recovery", "dockerd does not answer") : Task.CompletedTask;
        await Should.ThrowAsync<MigrationException>(hosts.RecoverDestinationAsync);

        hosts.Time.Advance(TwoHosts.Lease);
        await Task.Delay(50, TestContext.Current.CancellationToken);
        hosts.DestinationJournal.Phase.ShouldBe(MigrationPhase.Prepared);
        hosts.From.Frozen.ShouldBeTrue();

        down = false;
        await hosts.SettleAsync();
        hosts.ShouldRunOnDestination();
    }

    [Fact]
    public async Task FinishThatMeetsARestartedDestinationEndsIt()
    {
        using var hosts = new TwoHosts();
        hosts.Peer.LosesRequest = c => c == "finish" && !hosts.Destination.IsDead && hosts.Destination.Log.Contains("create");
        var migration = hosts.MigrateAsync();
        await hosts.Until(() => hosts.Source.Log.Count(s => s == "call finish") > 1);
        hosts.Destination.Kill();
        await migration;
        hosts.RestartDestination();
        hosts.Destination.Before = (s, _) => s == "open" && hosts.Destination.Log.Count == 0 ? throw new MigrationException("recovery", "dockerd does not answer") : Task.CompletedTask;
        await Should.ThrowAsync<MigrationException>(hosts.RecoverDestinationAsync);
        hosts.Destination.Before = null;

        await hosts.SettleAsync();

        hosts.ShouldRunOnDestination();
    }

    [Fact]
    public async Task UnpairedPeerLeavesAnOfferedContainerFrozen()
    {
        using var hosts = new TwoHosts();
        KillAfter(hosts.Source, "record Go");
        await hosts.MigrateAsync();
        hosts.RestartSource();
        var progress = hosts.Source.Index.Add(hosts.Status);

        await new SourceRecovery(hosts.Source.Environment, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance)
            .RunAsync(hosts.SourceJournal, null, progress, CancellationToken.None);

        hosts.From.Frozen.ShouldBeTrue();
        hosts.SourceJournal.IsClosed.ShouldBeFalse();
        progress.Status.Activity.ShouldContain("pair it again");
    }

    [Fact]
    public async Task UnpairedPeerIsNotNeededBeforeGo()
    {
        using var hosts = new TwoHosts();
        KillAfter(hosts.Source, "fence");
        await hosts.MigrateAsync();
        hosts.RestartSource();
        var progress = hosts.Source.Index.Add(hosts.Status);

        await new SourceRecovery(hosts.Source.Environment, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance)
            .RunAsync(hosts.SourceJournal, null, progress, CancellationToken.None);

        hosts.From.Runs.ShouldBeTrue();
        hosts.From.Fenced.ShouldBeFalse();
        hosts.SourceJournal.IsClosed.ShouldBeTrue();
    }

    [Fact]
    public async Task StateOfAnEndedMigrationIsReadFromItsJournal()
    {
        using var hosts = new TwoHosts();
        await hosts.MigrateAsync();
        hosts.Destination.Kill();
        hosts.RestartDestination();

        hosts.Destination.Arrivals.State(TwoHosts.Id, "h1").ShouldBe(new PeerState(MigrationPhase.Done, 1, true, ""));
        hosts.Destination.Arrivals.State(TwoHosts.Id, "h3").Phase.ShouldBe(MigrationPhase.New);
        hosts.Destination.Arrivals.State("../x", "h1").Phase.ShouldBe(MigrationPhase.New);
        (await hosts.Destination.Arrivals.GoAsync(TwoHosts.Id, "h1", new GoRequest(1, []), CancellationToken.None)).Running.ShouldBeTrue();
    }

    private static void KillAfter(DaemonLife life, string step)
    {
        var note = life.After!;
        life.After = s =>
        {
            note(s);
            if (s == step)
            {
                life.Kill();
            }
        };
    }
}
