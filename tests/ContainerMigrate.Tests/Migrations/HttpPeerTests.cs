using System.Net;
using System.Text;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;
using ContainerMigrate.Storage;
using ContainerMigrate.Tests.Daemon;
using ContainerMigrate.Tests.Migration;
using NSubstitute;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migrations;

/// <summary>What goes wrong on one side, in the wire or by malice, and how the other side tells of it.</summary>
public sealed class HttpPeerTests
{
    private const string Root = "/peer/v1/migrations";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task FailureArrivesWithHostStageAndCause()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        Fail(daemons.DestinationLife, "create", new MigrationException("reserve", "name taken", "remove it"));

        (await Should.ThrowAsync<MigrationException>(() => daemons.ReserveAsync())).Failure.ShouldBe(new MigrationFailure("h2", "reserve", "name taken", "remove it"));
    }

    [Fact]
    public async Task DefectArrivesInWords()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        Fail(daemons.DestinationLife, "create", new InvalidOperationException("a defect"));

        var failure = (await Should.ThrowAsync<MigrationException>(() => daemons.ReserveAsync())).Failure;

        (failure.Host, failure.Cause).ShouldBe(("h2", "a defect"));
    }

    [Fact]
    public async Task ReceiverThatFailsInTheMiddleOfAStreamSaysWhy()
    {
        var copier = Substitute.For<IDirectoryCopier>();
        copier.ReceiveChangesAsync(default!, default!, default, Token).ReturnsForAnyArgs(async Task<CopyTotals> (call) =>
        {
            await call.Arg<Stream>().ReadExactlyAsync(new byte[1000], Token);
            throw new IOException("No space left on device", 28);
        });
        await using var daemons = await TwoDaemons.StartAsync(e => e with { Copier = copier });
        await daemons.ReserveAsync();

        var failure = (await Should.ThrowAsync<MigrationException>(() => daemons.Peer.SendAsync(TwoDaemons.Id, BulkTransfer.Layer, WriteForever, Token))).Failure;

        failure.ShouldBe(new MigrationFailure("h2", "transfer", "No space left on device", "free disk there"));
    }

    [Fact]
    public async Task DaemonThatIsStoppedInTheMiddleOfAStreamSaysSoAndGivesUp()
    {
        using var begun = new SemaphoreSlim(0);
        var copier = Substitute.For<IDirectoryCopier>();
        copier.ReceiveChangesAsync(default!, default!, default, Token).ReturnsForAnyArgs(async Task<CopyTotals> (call) =>
        {
            begun.Release();
            while (true)
            {
                await call.Arg<Stream>().ReadExactlyAsync(new byte[1000], call.Arg<CancellationToken>());
            }
        });
        await using var daemons = await TwoDaemons.StartAsync(e => e with { Copier = copier });
        await daemons.ReserveAsync();
        var sending = daemons.Peer.SendAsync(
            TwoDaemons.Id, BulkTransfer.Layer, async (stream, token) =>
            {
                await stream.WriteAsync((byte[])[TreesFormat.Layer], token);
                await WriteForever(stream, token);
            },
            Token);
        await begun.WaitAsync(Token);

        var stopping = daemons.StopDestinationAsync();

        (await Should.ThrowAsync<MigrationException>(() => sending)).Failure.ShouldBe(new MigrationFailure("h2", "transfer", "ctmigrated was stopped", "migrate again once it runs"));
        (await daemons.Peer.AbortAsync(TwoDaemons.Id, new AbortRequest(1, "h2 gave up"), Token)).Phase.ShouldBe(MigrationPhase.Aborted);
        await stopping;
        daemons.DestinationLife.Log.ShouldContain("remove");
    }

    [Fact]
    public async Task SenderThatFailsInTheMiddleOfAStreamIsBlamedItself()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        await daemons.ReserveAsync();

        var failure = (await Should.ThrowAsync<MigrationException>(() => daemons.Peer.SendAsync(
            TwoDaemons.Id, BulkTransfer.Layer, async (stream, token) =>
            {
                await stream.WriteAsync(new byte[100000], token);
                throw new InvalidDataException("/etc/shadow changed while it was read");
            },
            Token))).Failure;

        (failure.Stage, failure.Cause).ShouldBe(("transfer", "/etc/shadow changed while it was read"));
        failure.Host.ShouldNotBe("h2");
        daemons.DestinationLife.Log.ShouldNotContain("unpack layer");
    }

    [Fact]
    public async Task FileThatCannotBeReadIsNotBlamedOnThePeer()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        await daemons.ReserveAsync();

        var failure = (await Should.ThrowAsync<MigrationException>(() => daemons.Peer.SendAsync(
            TwoDaemons.Id, BulkTransfer.Layer, async (stream, token) =>
            {
                await stream.WriteAsync(new byte[100000], token);
                throw new IOException("read of /layer/db failed: Input/output error");
            },
            Token))).Failure;

        failure.Cause.ShouldContain("Input/output error");
        failure.Host.ShouldNotBe("h2");
    }

    [Fact]
    public async Task CancelledStreamIsCancelled()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        await daemons.ReserveAsync();
        using var cancel = new CancellationTokenSource();

        await Should.ThrowAsync<OperationCanceledException>(() => daemons.Peer.SendAsync(
            TwoDaemons.Id, BulkTransfer.Layer, async (stream, token) =>
            {
                await stream.WriteAsync(new byte[100000], token);
                await cancel.CancelAsync();
                await WriteForever(stream, token);
            },
            cancel.Token));

        (await daemons.Peer.AbortAsync(TwoDaemons.Id, new AbortRequest(1, "cancelled"), Token)).Phase.ShouldBe(MigrationPhase.Aborted);
        daemons.To.Arrival.ShouldBeNull();
    }

    [Fact]
    public async Task StreamOutOfTurnIsRefused()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        await daemons.ReserveAsync();

        var failure = (await Should.ThrowAsync<MigrationException>(() => daemons.Peer.SendAsync(TwoDaemons.Id, BulkTransfer.Checkpoint, WriteForever, Token))).Failure;

        failure.Stage.ShouldBe("protocol");
        failure.Cause.ShouldContain("the migration is at Reserved");
    }

    [Fact]
    public async Task DaemonThatIsGoneIsUnreachable()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        var peer = daemons.Peer;
        await daemons.StopDestinationAsync();

        (await Should.ThrowAsync<PeerUnreachableException>(() => peer.GetStateAsync(TwoDaemons.Id, Token))).Host.ShouldBe("h2");
        await Should.ThrowAsync<PeerUnreachableException>(() => peer.SendAsync(TwoDaemons.Id, BulkTransfer.Layer, (_, _) => Task.CompletedTask, Token));
    }

    [Fact]
    public async Task HostThatIsNotPairedAnyMoreIsToldSo()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        daemons.Destination.Peers.Remove("h1");

        var failure = (await Should.ThrowAsync<MigrationException>(() => daemons.Peer.GetStateAsync(TwoDaemons.Id, Token))).Failure;

        failure.Cause.ShouldContain("does not know this host");
        failure.NextStep!.ShouldContain("ctmigrate hosts pair h2");
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("not json")]
    [InlineData("""{"epoch":"x"}""")]
    [InlineData("""{"epoch":1}""")]
    [InlineData("""{"epoch":1,"reason":null}""")]
    public async Task GarbageIsRefusedInWords(string body)
    {
        await using var daemons = await TwoDaemons.StartAsync();
        await daemons.ReserveAsync();

        var (status, error) = await PostAsync(daemons, $"{Root}/{TwoDaemons.Id}/abort", body);

        status.ShouldBe(HttpStatusCode.Conflict);
        (error.Failure.Host, error.Failure.Stage).ShouldBe(("h2", "protocol"));
        (await daemons.Peer.GetStateAsync(TwoDaemons.Id, Token)).Phase.ShouldBe(MigrationPhase.Reserved);
    }

    [Theory]
    [InlineData("/peer/v1/check", """{"manifest":{"runtime":"docker","source_id":"a","name":"a","settings":{},"links":[null]},"source_facts":{"host_name":"h1","version":"1","kernel_release":"6","architecture":"x"},"skip":[]}""", "a list holds null")]
    [InlineData("/peer/v1/check", """{"manifest":{"runtime":"lxc","source_id":"a","name":"a","settings":{}},"source_facts":{"host_name":"h1","version":"1","kernel_release":"6","architecture":"x"},"skip":[]}""", "runtime is not one of")]
    [InlineData("/peer/v1/check", """{"manifest":{"runtime":"podman","source_id":"a","name":"a","settings":{}},"source_facts":{"host_name":"h1","version":"1","kernel_release":"6","architecture":"x"},"skip":[]}""", "'podman' is not supported")]
    [InlineData(Root, """{"migration_id":"../../x","epoch":1,"manifest":{"runtime":"docker","source_id":"a","name":"a","settings":{}},"source_facts":{"host_name":"h1","version":"1","kernel_release":"6","architecture":"x"},"skip":[],"lease_seconds":60,"freeze_timeout_seconds":10}""", "out of range")]
    [InlineData(Root, """{"migration_id":"x","epoch":0,"manifest":{"runtime":"docker","source_id":"a","name":"a","settings":{}},"source_facts":{"host_name":"h1","version":"1","kernel_release":"6","architecture":"x"},"skip":[],"lease_seconds":60,"freeze_timeout_seconds":10}""", "out of range")]
    [InlineData(Root, """{"migration_id":"x","epoch":1,"manifest":{"runtime":"docker","source_id":"a","name":"a","settings":{}},"source_facts":{"host_name":"h1","version":"1","kernel_release":"6","architecture":"x"},"skip":[],"lease_seconds":1e9,"freeze_timeout_seconds":10}""", "out of range")]
    public async Task HostileRequestIsRefusedInWords(string path, string body, string cause)
    {
        await using var daemons = await TwoDaemons.StartAsync();

        var (status, error) = await PostAsync(daemons, path, body);

        status.ShouldBe(HttpStatusCode.Conflict);
        error.Failure.Cause.ShouldContain(cause);
        daemons.To.Journals.ShouldBeEmpty();
    }

    [Fact]
    public async Task OversizeControlMessageIsRefused()
    {
        await using var daemons = await TwoDaemons.StartAsync();

        var (status, error) = await PostAsync(daemons, "/peer/v1/check", $$"""{"skip":["{{new string('x', 5 << 20)}}"]}""");

        ((int)status).ShouldBeInRange(400, 499);
        error.Failure.Cause.ShouldContain("too large");
    }

    [Fact]
    public async Task LargeManifestPasses()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        var manifest = Samples.Manifest() with { Settings = new System.Text.Json.Nodes.JsonObject { ["x"] = new string('x', 1 << 20) } };

        var reply = await daemons.Peer.CheckAsync(new PeerCheckRequest(manifest, Samples.Facts("h1"), []), Token);

        reply.Findings.ShouldBeEmpty();
    }

    [Fact]
    public async Task MigrationOfAnotherPeerIsUnknown()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        await using var third = await RunningDaemon.StartAsync("h3");
        await third.PairWithAsync(daemons.Destination);
        var stranger = TwoDaemons.PeerOf(third, "h2");
        await daemons.ReserveAsync();

        (await stranger.GetStateAsync(TwoDaemons.Id, Token)).Phase.ShouldBe(MigrationPhase.New);
        (await stranger.GoAsync(TwoDaemons.Id, new GoRequest(1, []), Token)).Phase.ShouldBe(MigrationPhase.New);
        (await stranger.AbortAsync(TwoDaemons.Id, new AbortRequest(1, "mine now"), Token)).Phase.ShouldBe(MigrationPhase.New);
        (await stranger.FinishAsync(TwoDaemons.Id, Token)).Phase.ShouldBe(MigrationPhase.New);
        (await stranger.SettleAsync(TwoDaemons.Id, Token)).Phase.ShouldBe(MigrationPhase.New);
        (await Should.ThrowAsync<MigrationException>(() => stranger.PrepareAsync(TwoDaemons.Id, new PrepareRequest(1), Token))).Failure.Cause.ShouldContain("not known here");
        foreach (var kind in Enum.GetValues<BulkTransfer>())
        {
            await Should.ThrowAsync<MigrationException>(() => stranger.SendAsync(TwoDaemons.Id, kind, (_, _) => Task.CompletedTask, Token));
        }

        (await daemons.Peer.GetStateAsync(TwoDaemons.Id, Token)).Phase.ShouldBe(MigrationPhase.Reserved);
    }

    [Theory]
    [InlineData("never-heard-of")]
    [InlineData("..%2F..%2Fidentity")]
    public async Task UnknownMigrationIsNew(string id)
    {
        await using var daemons = await TwoDaemons.StartAsync();

        (await daemons.Peer.GetStateAsync(id, Token)).Phase.ShouldBe(MigrationPhase.New);
    }

    [Fact]
    public async Task SameMigrationTwiceIsRefused()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        await daemons.ReserveAsync();

        (await Should.ThrowAsync<MigrationException>(() => daemons.ReserveAsync())).Failure.Cause.ShouldContain("known here already");
        (await Should.ThrowAsync<MigrationException>(() => daemons.ReserveAsync("another"))).Failure.Cause.ShouldContain("about a container of that name");
        daemons.To.Arrival.ShouldNotBeNull();
    }

    [Fact]
    public async Task MessagesForAMigrationThatIsOverChangeNothing()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        await daemons.ReserveAsync();
        await daemons.SendLayerAsync();
        await daemons.Peer.PrepareAsync(TwoDaemons.Id, new PrepareRequest(1), Token);
        await daemons.Peer.GoAsync(TwoDaemons.Id, new GoRequest(1, Machine.Always), Token);
        await daemons.Peer.FinishAsync(TwoDaemons.Id, Token);
        var steps = daemons.DestinationLife.Log.Count;

        (await daemons.Peer.AbortAsync(TwoDaemons.Id, new AbortRequest(1, "late"), Token)).Phase.ShouldBe(MigrationPhase.Done);
        (await daemons.Peer.AbortAsync(TwoDaemons.Id, new AbortRequest(2, "an operator's, too late: the source's copy is gone"), Token)).Phase.ShouldBe(MigrationPhase.Done);
        (await daemons.Peer.GoAsync(TwoDaemons.Id, new GoRequest(1, []), Token)).Running.ShouldBeTrue();
        (await daemons.Peer.FinishAsync(TwoDaemons.Id, Token)).Phase.ShouldBe(MigrationPhase.Done);
        (await Should.ThrowAsync<MigrationException>(() => daemons.Peer.PrepareAsync(TwoDaemons.Id, new PrepareRequest(1), Token))).Failure.Cause.ShouldContain("the migration is at Done");
        (await Should.ThrowAsync<MigrationException>(() => daemons.ReserveAsync())).Failure.Cause.ShouldContain("known here already");

        daemons.To.Arrival!.Running.ShouldBeTrue();
        daemons.DestinationLife.Log.Count.ShouldBe(steps);
    }

    [Fact]
    public async Task GoIsCarriedOutWhateverBecomesOfTheConnection()
    {
        await using var daemons = await TwoDaemons.StartAsync();
        await daemons.ReserveAsync();
        await daemons.SendLayerAsync();
        await daemons.Peer.PrepareAsync(TwoDaemons.Id, new PrepareRequest(1), Token);
        using var cancel = new CancellationTokenSource();
        var released = new TaskCompletionSource();
        daemons.DestinationLife.Before = async (s, _) =>
        {
            if (s == "release")
            {
                await cancel.CancelAsync();
                await released.Task;
            }
        };

        await Should.ThrowAsync<OperationCanceledException>(() => daemons.Peer.GoAsync(TwoDaemons.Id, new GoRequest(1, Machine.Always), cancel.Token));
        released.SetResult();

        var state = await daemons.Peer.GoAsync(TwoDaemons.Id, new GoRequest(1, Machine.Always), Token);
        (state.Phase, state.Running).ShouldBe((MigrationPhase.Committed, true));
        daemons.To.Arrival!.Policy.ShouldBe(Machine.Always.ToJsonString());
    }

    private static void Fail(DaemonLife life, string step, Exception exception) => life.Before = (s, _) => s == step ? throw exception : Task.CompletedTask;

    private static async Task WriteForever(Stream stream, CancellationToken cancellationToken)
    {
        var chunk = new byte[1 << 16];
        while (true)
        {
            await stream.WriteAsync(chunk, cancellationToken);
        }
    }

    private static async Task<(HttpStatusCode Status, PeerError Error)> PostAsync(TwoDaemons daemons, string path, string body)
    {
        using var client = daemons.Source.ConnectTo(daemons.Destination);
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        // What is refused by its length is not sent at all: or the answer might be lost with the connection.
        request.Headers.ExpectContinue = true;
        using var response = await client.SendAsync(request, Token);
        return (response.StatusCode, System.Text.Json.JsonSerializer.Deserialize(await response.Content.ReadAsStringAsync(Token), PeerJson.Default.PeerError)!);
    }
}
