using ContainerMigrate.Api;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

/// <summary>From GO on: who owns the container when messages are lost, come twice or late, and when things fail on either side.</summary>
public sealed class HandoverTests
{
    [Fact]
    public async Task LostGoIsAskedAgainUntilTheDestinationHasCommitted()
    {
        using var hosts = new TwoHosts();
        var asked = 0;
        MigrationPhase? meanwhile = null;
        hosts.Peer.LosesRequest = c =>
        {
            meanwhile = c == "go" && asked == 2 ? hosts.Status.Phase : meanwhile;
            return c == "go" && ++asked < 4;
        };

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
        meanwhile.ShouldBe(MigrationPhase.InDoubt);
        hosts.SourceJournal.Records.Count(r => r.Phase == MigrationPhase.InDoubt).ShouldBe(1);
        hosts.Source.Log.Count(s => s == "call go").ShouldBe(4);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task WhatDiedOnTheDestinationBeforeAnyOfItRanGoesBackAlthoughItIsCommitted(int lostAnswers)
    {
        using var hosts = new TwoHosts();
        var lost = 0;
        hosts.Peer.LosesAnswer = c => c == "go" && lost++ < lostAnswers;
        hosts.Destination.Before = (s, _) =>
        {
            if (s == "claim")
            {
                hosts.To.Arrival!.DiesBeforeItRuns = true;
            }

            return Task.CompletedTask;
        };

        await hosts.MigrateAsync();

        hosts.ShouldRunOnSource();
        hosts.DestinationJournal.Records.Select(r => r.Phase).ShouldContain(MigrationPhase.Committed);
        hosts.Status.Failure!.Cause.ShouldBe("the restore failed");
    }

    [Fact]
    public async Task LostAnswerToGoIsAskedAgain()
    {
        using var hosts = new TwoHosts();
        var lost = 0;
        hosts.Peer.LosesAnswer = c => c == "go" && lost++ < 2;

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
        hosts.Destination.Log.Count(s => s == "release").ShouldBe(1);
    }

    [Fact]
    public async Task DestinationThatGaveUpBeforeGoGivesTheContainerBack()
    {
        using var hosts = new TwoHosts();
        hosts.Peer.LosesRequest = c => c == "state";
        hosts.Source.Before = (s, _) =>
        {
            hosts.Time.Advance(s == "record Go" ? TwoHosts.Lease : TimeSpan.Zero);
            return s == "record Go" ? hosts.Until(() => hosts.DestinationJournal.IsClosed) : Task.CompletedTask;
        };

        await hosts.MigrateAsync();

        hosts.ShouldRunOnSource();
        hosts.Status.Failure!.Cause.ShouldContain("nothing was heard from h1 for 60 s");
        hosts.Status.ExitCode.ShouldBe(ExitCodes.FailedSourceRunning);
    }

    [Fact]
    public async Task DeadTreeAtTheGateGivesTheContainerBack()
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = (s, _) =>
        {
            if (s == "record Go")
            {
                hosts.To.EndGate();
            }

            return Task.CompletedTask;
        };

        await hosts.MigrateAsync();

        hosts.ShouldRunOnSource();
        hosts.Status.Failure!.Stage.ShouldBe("commit");
        hosts.Status.Failure.Host.ShouldBe("h2");
    }

    [Fact]
    public async Task ContainerThatDoesNotStartAfterTheCommitKeepsTheSourceFrozen()
    {
        using var hosts = new TwoHosts();
        var fails = 2;
        hosts.Destination.Before = (s, _) => s == "release" && fails-- > 0 ? throw new MigrationException("commit", "docker start failed") : Task.CompletedTask;
        hosts.Source.After += s => (s != "call go" || hosts.From.Frozen).ShouldBeTrue();

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
        hosts.SourceJournal.Records.ShouldContain(r => r.Phase == MigrationPhase.InDoubt);
    }

    [Fact]
    public async Task ReleaseThatNeverEndsIsTriedAgain()
    {
        using var hosts = new TwoHosts();
        var hangs = true;
        hosts.Destination.Before = (s, token) =>
        {
            if (s != "release" || !hangs)
            {
                return Task.CompletedTask;
            }

            hangs = false;
            _ = Task.Run(() => hosts.Time.Advance(TimeSpan.FromMinutes(2)), TestContext.Current.CancellationToken);
            return Task.Delay(Timeout.Infinite, token);
        };

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
        hosts.SourceJournal.Records.ShouldContain(r => r.Phase == MigrationPhase.InDoubt);
        hosts.Destination.Arrivals.State(TwoHosts.Id, "h1").Failure.ShouldBeNull();
    }

    [Fact]
    public async Task RepeatedMessagesChangeNothing()
    {
        using var hosts = new TwoHosts();
        hosts.Peer.Duplicates = true;

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
        foreach (var once in new[] { "claim", "record Committed", "release", "record Done", "close" })
        {
            hosts.Destination.Log.Count(s => s == once).ShouldBe(1, once);
        }

        var state = await hosts.Peer.GoAsync(TwoHosts.Id, new GoRequest(1, []), CancellationToken.None);
        state.ShouldBe(state with { Phase = MigrationPhase.Done, Running = true });
        (await hosts.Peer.AbortAsync(TwoHosts.Id, new AbortRequest(1, "late"), CancellationToken.None)).Phase.ShouldBe(MigrationPhase.Done);
        hosts.ShouldRunOnDestination();
    }

    [Fact]
    public async Task RepeatedAbortChangesNothing()
    {
        using var hosts = new TwoHosts();
        hosts.Peer.Duplicates = true;
        hosts.Source.Before = (s, _) => s == "dump" ? throw new MigrationException("dump", "it broke") : Task.CompletedTask;

        await hosts.MigrateAsync();

        hosts.ShouldRunOnSource();
        hosts.Destination.Log.Count(s => s == "record Aborted").ShouldBe(1);
        hosts.Destination.Log.Count(s => s == "remove").ShouldBe(1);
    }

    [Fact]
    public async Task LateGoAfterAnAbortIsRefused()
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = (s, _) => s == "record Go" ? throw new MigrationException("x", "it broke") : Task.CompletedTask;
        await hosts.MigrateAsync();

        var state = await hosts.Peer.GoAsync(TwoHosts.Id, new GoRequest(1, []), CancellationToken.None);

        state.Phase.ShouldBe(MigrationPhase.Aborted);
        state.Running.ShouldBeFalse();
        hosts.ShouldRunOnSource();
    }

    [Fact]
    public async Task GoOfAnOlderEpochIsRefused()
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = async (s, _) =>
        {
            if (s == "record Go")
            {
                (await Should.ThrowAsync<MigrationException>(() => hosts.Peer.GoAsync(TwoHosts.Id, new GoRequest(0, []), CancellationToken.None))).Failure.Cause.ShouldContain("epoch");
                (await hosts.Peer.AbortAsync(TwoHosts.Id, new AbortRequest(0, "old"), CancellationToken.None)).Phase.ShouldBe(MigrationPhase.Prepared);
            }
        };

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
    }

    [Theory]
    [InlineData("claim")]
    [InlineData("record Committed")]
    [InlineData("release")]
    public async Task AbortThatRacesWithGoComesTooLate(string step)
    {
        using var hosts = new TwoHosts();
        Task<PeerState>? abort = null;
        hosts.Destination.Before = (s, _) =>
        {
            if (s == step && abort is null)
            {
                abort = Task.Run(() => hosts.Destination.Arrivals.AbortAsync(TwoHosts.Id, "h1", new AbortRequest(1, "race")));
            }

            return Task.CompletedTask;
        };

        await hosts.MigrateAsync();

        (await abort!).Phase.ShouldBeOneOf(MigrationPhase.Committed, MigrationPhase.Done);
        hosts.ShouldRunOnDestination();
    }

    [Fact]
    public async Task AbortEndsWhatIsUnderWay()
    {
        using var hosts = new TwoHosts();
        hosts.Destination.Before = async (s, token) =>
        {
            if (s == "restore")
            {
                _ = hosts.Destination.Arrivals.AbortAsync(TwoHosts.Id, "h1", new AbortRequest(1, "the operator of h1 wants it back"));
                await Task.Delay(Timeout.Infinite, token);
            }
        };

        await hosts.MigrateAsync();

        hosts.ShouldRunOnSource();
    }

    [Fact]
    public async Task LeaseDoesNotEndWhileARequestIsUnderWay()
    {
        using var hosts = new TwoHosts();
        hosts.Destination.Before = (s, _) =>
        {
            hosts.Time.Advance(s == "unpack images" ? 3 * TwoHosts.Lease : TimeSpan.Zero);
            return Task.CompletedTask;
        };

        await hosts.MigrateAsync(Samples.Request with { FreezeTimeoutSeconds = 3600 });

        hosts.ShouldRunOnDestination();
    }

    [Fact]
    public async Task LeaseIsKeptWhileTheSourceIsBusyWithItself()
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = async (s, _) =>
        {
            for (var quarters = 0; s == "dump" && quarters < 12; quarters++)
            {
                hosts.Time.Advance(TwoHosts.Lease / 4);
                await hosts.Until(() => hosts.Source.Log.Count(l => l == "call state") > quarters);
            }
        };

        await hosts.MigrateAsync(Samples.Request with { FreezeTimeoutSeconds = 3600 });

        hosts.ShouldRunOnDestination();
    }

    [Fact]
    public async Task LeaseDoesNotEndWhatIsCommitted()
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = (s, _) =>
        {
            hosts.Time.Advance(s == "destroy" ? 3 * TwoHosts.Lease : TimeSpan.Zero);
            return Task.CompletedTask;
        };

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
    }

    [Fact]
    public async Task DestroyingTheSourceIsRepeatedUntilItWorks()
    {
        using var hosts = new TwoHosts();
        var fails = 3;
        hosts.Source.Before = (s, _) => s == "destroy" && fails-- > 0 ? throw new MigrationException("destroy", "dockerd does not answer") : Task.CompletedTask;

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
    }

    [Theory]
    [InlineData("record Committed")]
    [InlineData("record Destroyed")]
    [InlineData("record Done")]
    [InlineData("allow starts")]
    public async Task FullDiskOfTheSourceAfterGoIsWaitedFor(string step)
    {
        using var hosts = new TwoHosts();
        var fails = 3;
        hosts.Source.Before = (s, _) => s == step && fails-- > 0 ? throw new IOException("No space left on device") : Task.CompletedTask;

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
        hosts.Status.ExitCode.ShouldBe(ExitCodes.Done);
    }

    [Fact]
    public async Task FullDiskOfTheSourceDoesNotKeepTheContainerFrozenOnceTheDestinationGaveUp()
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = (s, _) =>
        {
            if (s == "record Go")
            {
                hosts.To.EndGate();
            }

            return s is "record Aborted" ? throw new IOException("No space left on device") : Task.CompletedTask;
        };

        await hosts.MigrateAsync();

        (hosts.From.Frozen, hosts.From.Fenced).ShouldBe((false, false));
        hosts.SourceJournal.Phase.ShouldBe(MigrationPhase.Go);
        hosts.Source.Kill();
        await hosts.SettleAsync();
        hosts.ShouldRunOnSource();
    }

    [Theory]
    [InlineData("record Committed")]
    [InlineData("claim")]
    [InlineData("give policy")]
    [InlineData("record Done")]
    public async Task FullDiskOfTheDestinationAtTheCommitIsWaitedFor(string step)
    {
        using var hosts = new TwoHosts();
        var fails = 3;
        hosts.Destination.Before = (s, _) => s == step && fails-- > 0 ? throw new IOException("No space left on device") : Task.CompletedTask;

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
    }

    [Theory]
    [InlineData("unpack layer")]
    [InlineData("write pages")]
    [InlineData("unpack images")]
    public async Task FullDiskOfTheDestinationBeforeTheCommitLeavesNothingThere(string step)
    {
        using var hosts = new TwoHosts();
        var full = false;
        hosts.Destination.Before = (s, _) =>
        {
            full |= s == step;
            full &= s != "remove traces";
            return full && (s == step || s.StartsWith("record", StringComparison.Ordinal)) ? throw new IOException("No space left on device", 28) : Task.CompletedTask;
        };

        await hosts.MigrateAsync();

        hosts.ShouldRunOnSource();
        hosts.Status.Failure!.ShouldBe(new MigrationFailure("h2", "transfer", "No space left on device", "free disk there"));
        Directory.Exists(Path.Combine(hosts.DestinationJournal.Directory, "images")).ShouldBeFalse();
    }

    [Fact]
    public async Task RemovalThatFailedIsDoneAtTheNextAbort()
    {
        using var hosts = new TwoHosts();
        var fails = 1;
        hosts.Source.Before = (s, _) => s == "dump" ? throw new MigrationException("dump", "it broke") : Task.CompletedTask;
        hosts.Destination.Before = (s, _) => s == "remove" && fails-- > 0 ? throw new MigrationException("abort", "dockerd does not answer") : Task.CompletedTask;
        await hosts.MigrateAsync();
        hosts.DestinationJournal.IsClosed.ShouldBeFalse();

        await hosts.Peer.AbortAsync(TwoHosts.Id, new AbortRequest(1, "again"), CancellationToken.None);

        hosts.ShouldRunOnSource();
        hosts.Destination.Index.Find(TwoHosts.Id)!.Status.EndedAt.ShouldNotBeNull();
    }

    [Fact]
    public async Task PeerThatDoesNotKnowTheMigrationAnyMoreLeavesItInDoubt()
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = (s, _) =>
        {
            if (s == "call go" && hosts.Source.Log.Count(l => l == "call go") == 2)
            {
                hosts.Status.Phase.ShouldBe(MigrationPhase.InDoubt);
                hosts.From.Frozen.ShouldBeTrue();
                hosts.Source.Kill();
            }

            return Task.CompletedTask;
        };
        hosts.Source.After += s =>
        {
            if (s == "record Go")
            {
                hosts.Destination.Kill();
                hosts.To.Journals.Clear();
                hosts.RestartDestination();
            }
        };

        await hosts.MigrateAsync();
        await hosts.Until(() => hosts.Source.IsDead);

        hosts.SourceJournal.Phase.ShouldBe(MigrationPhase.InDoubt);
        hosts.From.Frozen.ShouldBeTrue();
    }

    [Fact]
    public async Task OtherPeersLearnAndChangeNothing()
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = async (s, _) =>
        {
            if (s == "record Go")
            {
                var arrivals = hosts.Destination.Arrivals;
                (await arrivals.GoAsync(TwoHosts.Id, "h3", new GoRequest(1, []), CancellationToken.None)).Phase.ShouldBe(MigrationPhase.New);
                (await arrivals.AbortAsync(TwoHosts.Id, "h3", new AbortRequest(1, ""))).Phase.ShouldBe(MigrationPhase.New);
                (await arrivals.FinishAsync(TwoHosts.Id, "h3")).Phase.ShouldBe(MigrationPhase.New);
                arrivals.State(TwoHosts.Id, "h3").Phase.ShouldBe(MigrationPhase.New);
                Should.Throw<MigrationException>(() => arrivals.Get(TwoHosts.Id, "h3")).Failure.Cause.ShouldContain("not known here");
            }
        };

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
    }
}
