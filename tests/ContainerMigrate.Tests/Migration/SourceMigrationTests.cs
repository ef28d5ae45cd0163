using ContainerMigrate.Api;
using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

/// <summary>A migration as the source sees it: where it can fail, what is undone then, and in which order.</summary>
public sealed class SourceMigrationTests
{
    /// <summary>Everything the source does before GO, in order, but for its journal.</summary>
    public static TheoryData<string> SourceSteps =>
    [
        "call reserve", "export image", "call send Image", "probe pages", "probe files", "call send Probe", "read log", "call send Log", "look for changes", "read files ahead", "call send Files", "wait for memory", "read policy", "suspend policy", "refuse starts", "freeze", "fence", "dump",
        "look for the last changes", "read files", "call send Layer", "read pages",
        "call send Pages", "call send Checkpoint",
        "call prepare",
    ];

    public static TheoryData<string> SourceRecords => ["record Planned", "record PreCopy", "record Frozen", "record Go"];

    public static TheoryData<string> DestinationSteps =>
    [
        "record Reserved", "import image", "create", "unpack files", "record Receiving", "unpack layer", "begin", "write pages", "unpack images", "restore", "record Prepared",
    ];

    [Fact]
    public async Task EachRecordIsWrittenBeforeItsEffect()
    {
        using var hosts = new TwoHosts();

        await hosts.MigrateAsync();

        hosts.Source.Log.ShouldBe(
        [
            "record Planned", "call reserve", "probe pages", "probe files", "call send Probe", "read log", "call send Log", "record PreCopy", "look for changes", "read files ahead", "call send Files", "wait for memory", "look for changes",
            "read policy", "record PreCopy", "suspend policy", "record Frozen", "refuse starts", "freeze", "fence", "dump", "look for the last changes", "read log", "call send Log", "read files", "call send Layer", "read pages", "call send Pages", "read files", "call send Checkpoint", "call prepare", "record Go", "call go", "record Committed", "call settle", "make whole", "destroy", "allow starts", "record Destroyed",
            "call finish", "record Done", "close",
        ]);
        hosts.Destination.Log.Where(s => s != "announce").ShouldBe(
        [
            "record Reserved", "create", "record Reserved", "take probe pages", "take probe files", "append log", "unpack files", "append log", "record Receiving", "unpack layer", "begin", "write pages", "unpack images", "restore",
            "record Prepared", "claim", "record Committed", "release", "give policy", "record Done", "close",
        ]);
    }

    [Fact]
    public async Task ResultIsInTheStatusAndInTheJournal()
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = (step, _) =>
        {
            hosts.Time.Advance(step is "dump" or "destroy" ? TimeSpan.FromMilliseconds(100) : TimeSpan.Zero);
            return Task.CompletedTask;
        };

        await hosts.MigrateAsync();

        var result = hosts.Status.Result.ShouldNotBeNull();
        result.PauseMs.ShouldBe(100);
        result.TotalMs.ShouldBe(200);
        (result.FileRounds, result.FilesAheadBytes, result.FilesInPauseBytes).ShouldBe((1, 1, 1));
        hosts.Status.FileRounds.ShouldHaveSingleItem().Entries.ShouldBe(1);
        result.PauseParts["dump"].ShouldBe(100);
        result.PauseParts.Keys.ShouldBe(["keep", "freeze", "fence", "dump", "transfer", "wait for the runtime", "criu restore", "restore", "commit", "resume", "go"]);
        result.PredictedMs.ShouldBe(700);
        result.SentBytes.ShouldBeGreaterThan(0);
        result.DestinationId.ShouldBe("c0ffee");
        ContainerMigrate.Daemon.Migrations.JournalHistory.Describe(hosts.SourceJournal, "h1").Result.ShouldNotBeNull().PauseMs.ShouldBe(100);
    }

    [Theory]
    [MemberData(nameof(SourceSteps))]
    public async Task AnyFailureBeforeGoEndsWithTheContainerOnTheSource(string step)
    {
        using var hosts = new TwoHosts();
        Fail(hosts.Source, step, new MigrationException("stage", "it broke", "mend it"));

        await hosts.MigrateAsync(withImage: true);

        hosts.ShouldRunOnSource();
        hosts.Status.Failure.ShouldBe(new MigrationFailure("h1", "stage", "it broke", "mend it"));
        ShouldHaveEnded(hosts, ExitCodes.FailedSourceRunning);
    }

    [Theory]
    [MemberData(nameof(SourceSteps))]
    public async Task UnexpectedFailureIsNoDifferent(string step)
    {
        using var hosts = new TwoHosts();
        Fail(hosts.Source, step, new InvalidOperationException("a defect"));

        await hosts.MigrateAsync(withImage: true);

        hosts.ShouldRunOnSource();
        hosts.Status.Failure!.Cause.ShouldBe("a defect");
    }

    [Theory]
    [MemberData(nameof(SourceRecords))]
    public async Task RecordThatCannotBeWrittenHasNoEffect(string record)
    {
        using var hosts = new TwoHosts();
        Fail(hosts.Source, record, new IOException("No space left on device"));

        await hosts.MigrateAsync();

        hosts.ShouldRunOnSource();
        hosts.Status.Failure!.Cause.ShouldContain("No space left");
    }

    [Theory]
    [MemberData(nameof(SourceRecords))]
    public async Task FullDiskLeavesTheContainerRunning(string record)
    {
        using var hosts = new TwoHosts();
        var full = false;
        hosts.Source.Before = (step, _) =>
        {
            full |= step == record;
            return full && (step.StartsWith("record", StringComparison.Ordinal) || step == "close") ? throw new IOException("No space left on device") : Task.CompletedTask;
        };

        await hosts.MigrateAsync();

        (hosts.From.Exists, hosts.From.Frozen, hosts.From.Fenced).ShouldBe((true, false, false));
        hosts.From.Policy.ShouldBe(Machine.Always.ToJsonString());
        ShouldHaveEnded(hosts, ExitCodes.FailedSourceRunning);
        hosts.SourceJournal.IsClosed.ShouldBeFalse();

        hosts.Source.Kill();
        await hosts.SettleAsync();
        hosts.ShouldRunOnSource();
    }

    [Theory]
    [MemberData(nameof(DestinationSteps))]
    public async Task FailureOnTheDestinationIsToldInItsWords(string step)
    {
        using var hosts = new TwoHosts();
        Fail(hosts.Destination, step, new MigrationException("restore", "CRIU: it broke"));

        await hosts.MigrateAsync(withImage: true);

        hosts.ShouldRunOnSource();
        hosts.Status.Failure.ShouldBe(new MigrationFailure("h2", "restore", "CRIU: it broke"));
        hosts.Status.DestinationState.ShouldBe("absent");
    }

    [Fact]
    public async Task RollbackComesInOrderAfterItsRecord()
    {
        using var hosts = new TwoHosts();
        Fail(hosts.Source, "refuse starts", new IOException("read-only file system"));

        await hosts.MigrateAsync();

        hosts.Source.Log.SkipWhile(s => s != "record Aborted").ShouldBe(["record Aborted", "lift fence", "make whole", "thaw", "announce", "allow starts", "return policy", "call abort", "close"]);
    }

    [Fact]
    public async Task RefusedReservationTouchesNothing()
    {
        using var hosts = new TwoHosts();
        Fail(hosts.Destination, "create", new MigrationException("reserve", "name taken"));

        await hosts.MigrateAsync();

        hosts.ShouldRunOnSource();
        hosts.Source.Log.ShouldNotContain("freeze");
        hosts.Source.Log.ShouldNotContain("suspend policy");
        hosts.Destination.Log.ShouldContain("remove traces");
    }

    [Theory]
    [InlineData("lift fence")]
    [InlineData("make whole")]
    [InlineData("announce")]
    [InlineData("return policy")]
    [InlineData("allow starts")]
    public async Task FailingRollbackStepDoesNotKeepTheContainerFrozen(string step)
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = (s, _) => s == "dump" || s == step ? throw new MigrationException("rollback", "no") : Task.CompletedTask;

        try
        {
            await hosts.MigrateAsync();
        }
        catch (MigrationException)
        {
            hosts.SourceJournal.IsClosed.ShouldBeFalse(); // a restart tries again
        }

        hosts.From.Runs.ShouldBeTrue();
        hosts.Source.Kill();
        await hosts.SettleAsync();
        hosts.Time.Advance(TwoHosts.Lease);
        await hosts.Until(() => hosts.DestinationJournal.IsClosed);
        if (step is "lift fence" or "make whole" or "allow starts")
        {
            hosts.ShouldRunOnSource();
        }
    }

    [Theory]
    [MemberData(nameof(SourceSteps))]
    public async Task CancelIsObeyedAtEachStep(string step)
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = async (s, token) =>
        {
            if (s == step)
            {
                await hosts.Cancel.CancelAsync();
            }
        };

        await hosts.MigrateAsync(withImage: true);

        hosts.ShouldRunOnSource();
        hosts.Status.Failure!.Cause.ShouldBe("cancelled by the operator");
        ShouldHaveEnded(hosts, ExitCodes.Cancelled);
    }

    [Fact]
    public async Task CancelAfterGoComesTooLate()
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = async (s, _) =>
        {
            if (s == "call go")
            {
                await hosts.Cancel.CancelAsync();
            }
        };

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
        ShouldHaveEnded(hosts, ExitCodes.Done);
    }

    [Theory]
    [MemberData(nameof(SourceSteps))]
    public async Task StoppedDaemonDoesNotLeaveTheContainerFrozen(string step)
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = async (s, _) =>
        {
            if (s == step)
            {
                await hosts.Shutdown.CancelAsync();
            }
        };

        await hosts.MigrateAsync(withImage: true);

        hosts.ShouldRunOnSource();
        hosts.Status.Failure!.Cause.ShouldBe("ctmigrated was stopped");
    }

    [Theory]
    [InlineData("dump")]
    [InlineData("call send Checkpoint")]
    [InlineData("call prepare")]
    public async Task FreezeTimeoutThaws(string step)
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = (s, token) => s == step ? Hang(hosts, TimeSpan.FromSeconds(3), token) : Task.CompletedTask;

        await hosts.MigrateAsync(Samples.Request with { FreezeTimeoutSeconds = 3 });

        hosts.ShouldRunOnSource();
        hosts.Status.Failure.ShouldBe(new MigrationFailure("h1", "switchover", "the time allowed for it has passed", "raise --freeze-timeout"));
    }

    [Fact]
    public async Task FreezeTimeoutThatIsNoticedLateThawsToo()
    {
        using var hosts = new TwoHosts();
        hosts.Destination.After += step => hosts.Time.Advance(step == "record Prepared" ? TimeSpan.FromSeconds(3) : TimeSpan.Zero);

        await hosts.MigrateAsync(Samples.Request with { FreezeTimeoutSeconds = 3 });

        hosts.ShouldRunOnSource();
        hosts.Status.Failure!.NextStep.ShouldBe("raise --freeze-timeout");
    }

    [Fact]
    public async Task FreezeTimeoutGrowsWithWhatHasToBeCopied()
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = (s, token) =>
        {
            hosts.Time.Advance(s == "dump" ? TimeSpan.FromSeconds(9.9) : TimeSpan.Zero);
            return Task.CompletedTask;
        };

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination(); // the limit is 10 s where three times the prediction is less
    }

    [Fact]
    public async Task DeadlineEndsWhatComesBeforeTheFreeze()
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = (s, token) => s == "call send Image" ? Hang(hosts, TimeSpan.FromSeconds(5), token) : Task.CompletedTask;

        await hosts.MigrateAsync(Samples.Request with { DeadlineSeconds = 5 }, withImage: true);

        hosts.ShouldRunOnSource();
        hosts.Status.Failure.ShouldBe(new MigrationFailure("h1", "image", "the time allowed for it has passed", "raise --deadline"));
    }

    [Theory]
    [InlineData("reserve", "reserve")]
    [InlineData("send Probe", "transfer")]
    [InlineData("send Layer", "switchover")]
    [InlineData("send Checkpoint", "switchover")]
    [InlineData("prepare", "switchover")]
    public async Task UnreachablePeerBeforeGoAborts(string call, string stage)
    {
        using var hosts = new TwoHosts();
        hosts.Peer.LosesRequest = c => c == call;

        await hosts.MigrateAsync();

        hosts.ShouldRunOnSource();
        hosts.Status.Failure!.Host.ShouldBe("h2");
        hosts.Status.Failure.Stage.ShouldBe(stage);
        hosts.Status.Failure.Cause.ShouldContain("does not answer");
        hosts.Status.DestinationState.ShouldBe("absent");
    }

    [Fact]
    public async Task TimeThatPassesBecauseThePeerIsGoneIsNotToBeRaised()
    {
        using var hosts = new TwoHosts();
        var cut = false;
        hosts.Source.Before = (s, token) => s == "call send Image" && (cut = true) ? Hang(hosts, TimeSpan.FromSeconds(5), token) : Task.CompletedTask;
        hosts.Peer.LosesRequest = _ => cut;

        await hosts.MigrateAsync(Samples.Request with { DeadlineSeconds = 5 }, withImage: true);

        hosts.From.Runs.ShouldBeTrue();
        hosts.Status.Failure.ShouldBe(new MigrationFailure("h1", "image", "the time allowed for it has passed, and h2 does not answer", "check that ctmigrated runs there and that the link is up"));
    }

    [Theory]
    [InlineData("reserve")]
    [InlineData("send Layer")]
    [InlineData("prepare")]
    public async Task CutLinkLeavesTheDestinationToItsLease(string call)
    {
        using var hosts = new TwoHosts();
        var cut = false;
        hosts.Peer.LosesAnswer = c => cut |= c == call;
        hosts.Peer.LosesRequest = _ => cut;

        await hosts.MigrateAsync();

        hosts.From.Runs.ShouldBeTrue();
        hosts.Status.DestinationState.ShouldBe("unknown");
        hosts.To.Arrival.ShouldNotBeNull();
        hosts.Time.Advance(TwoHosts.Lease);
        await hosts.Until(() => hosts.DestinationJournal.IsClosed);
        hosts.ShouldRunOnSource();
    }

    [Fact]
    public async Task PausedContainerStaysPausedWhenItFails()
    {
        using var hosts = new TwoHosts();
        Fail(hosts.Source, "dump", new MigrationException("dump", "it broke"));

        await hosts.MigrateAsync(paused: true);

        hosts.Source.Log.ShouldNotContain("thaw");
        (hosts.From.Frozen, hosts.From.Fenced).ShouldBe((true, false));
        hosts.Status.SourceState.ShouldBe("paused");
    }

    [Fact]
    public async Task PausedContainerIsToldPausedWhenItFailsBeforeTheFreeze()
    {
        using var hosts = new TwoHosts();
        Fail(hosts.Source, "suspend policy", new MigrationException("docker", "it broke"));

        await hosts.MigrateAsync(paused: true);

        hosts.Status.SourceState.ShouldBe("paused");
    }

    [Fact]
    public async Task FirstOfTwoFailuresIsTold()
    {
        using var hosts = new TwoHosts();
        var layerFailed = new TaskCompletionSource();
        hosts.Source.Before = async (step, token) =>
        {
            switch (step)
            {
                case "call send Layer":
                    layerFailed.SetResult();
                    throw new MigrationException("transfer", "the layer broke");
                case "dump":
                    await layerFailed.Task;
                    await Hang(null, default, token);
                    break;
            }
        };

        await hosts.MigrateAsync();

        hosts.Status.Failure!.Cause.ShouldBe("the layer broke");
        hosts.ShouldRunOnSource();
    }

    private static void Fail(DaemonLife life, string step, Exception exception)
    {
        var failed = false;
        life.Before = (s, _) =>
        {
            if (s != step || failed)
            {
                return Task.CompletedTask;
            }

            failed = true;
            throw exception;
        };
    }

    // Hangs until cancelled, and moves the clock so that it will be.
    private static async Task Hang(TwoHosts? hosts, TimeSpan after, CancellationToken cancellationToken)
    {
        hosts?.Time.Advance(after);
        await Task.Delay(Timeout.Infinite, cancellationToken);
    }

    private static void ShouldHaveEnded(TwoHosts hosts, int exitCode)
    {
        hosts.Status.EndedAt.ShouldNotBeNull();
        hosts.Status.ExitCode.ShouldBe(exitCode);
    }
}
