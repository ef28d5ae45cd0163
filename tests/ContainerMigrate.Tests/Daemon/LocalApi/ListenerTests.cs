using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.LocalApi;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.LocalApi;

/// <summary>Which API answers where, and how.</summary>
public sealed class ListenerTests
{
    [Theory]
    [InlineData("GET", "/v1/version")]
    [InlineData("GET", "/v1/hosts")]
    [InlineData("POST", "/v1/hosts/code")]
    [InlineData("POST", "/v1/hosts/pair")]
    public async Task PeerDoesNotReachTheLocalApi(string method, string path)
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await h1.PairWithAsync(h2);
        var client = PeerClient(h2, "h1");

        using var response = await client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path), TestContext.Current.CancellationToken);

        response.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        var error = await response.Content.ReadFromJsonAsync(PeerJson.Default.PeerError, TestContext.Current.CancellationToken);
        error!.Failure.Host.ShouldBe("h1");
        (await h1.ListHostsAsync()).OpenCode.ShouldBeNull();
    }

    [Theory]
    [InlineData("GET", "/peer/v1/hello")]
    [InlineData("POST", "/peer/v1/pair/open")]
    [InlineData("POST", "/peer/v1/pair/prove")]
    [InlineData("GET", "/peer/v1/test/who")]
    public async Task LocalSocketHasNoPeerApi(string method, string path)
    {
        await using var h1 = await RunningDaemon.StartAsync("h1", new EchoModule());

        using var response = await h1.Local.SendAsync(new HttpRequestMessage(new HttpMethod(method), path), TestContext.Current.CancellationToken);

        response.StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task VersionSaysWhoAnswers()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");

        var version = await h1.Local.GetFromJsonAsync("/v1/version", ApiJson.Default.VersionReport, TestContext.Current.CancellationToken);

        version.ShouldBe(new VersionReport("h1", DaemonVersion.Current));
    }

    [Fact]
    public async Task JsonIsWrittenAsTheCommandLineReadsIt()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1", new EchoModule());

        var json = await h1.Local.GetStringAsync("/v1/test/status", TestContext.Current.CancellationToken);

        json.ShouldContain("\"phase\":\"Frozen\"");
        json.ShouldContain("\"started_at\":");
        json.ShouldNotContain("null");
        JsonSerializer.Deserialize(json, ApiJson.Default.MigrationStatus)!.Phase.ShouldBe(MigrationPhase.Frozen);
    }

    [Fact]
    public async Task JsonIsReadAsTheCommandLineWritesIt()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1", new EchoModule());
        var report = new CheckReport
        {
            Container = "web", Runtime = "docker", Source = "h1", Destination = "h2",
            Findings = [new CheckFinding("cpu", CheckSeverity.Warning, "h2", "older")],
        };

        using var response = await h1.Local.PostAsJsonAsync("/v1/test/check", report, ApiJson.Default.CheckReport, TestContext.Current.CancellationToken);

        var echo = await response.Content.ReadFromJsonAsync(ApiJson.Default.CheckReport, TestContext.Current.CancellationToken);
        echo!.Findings.ShouldBe(report.Findings);
    }

    [Fact]
    public async Task HelloTellsTheCapabilitiesOfModules()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1", new EchoModule());
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await h1.PairWithAsync(h2);

        var hello = await PeerClient(h2, "h1").GetFromJsonAsync("/peer/v1/hello", PeerHelloJson.Default.PeerHello, TestContext.Current.CancellationToken);

        hello!.Name.ShouldBe("h1");
        hello.Protocol.ShouldBe(PeerHello.CurrentProtocol);
        hello.Capabilities.ShouldBe(["echo"]);
    }

    [Fact]
    public async Task ControlBodiesAreBoundedAndStreamsAreNot()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1", new EchoModule());
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await h1.PairWithAsync(h2);
        var client = PeerClient(h2, "h1");

        (await PostAsync("control", 64 << 10)).ShouldBe((HttpStatusCode.OK, $"{64 << 10} not too slow"));
        (await PostAsync("control", (64 << 10) + 1)).Status.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        (await PostAsync("larger", 1 << 20)).Status.ShouldBe(HttpStatusCode.OK);
        (await PostAsync("larger", (1 << 20) + 1)).Status.ShouldBe(HttpStatusCode.RequestEntityTooLarge);

        // More than Kestrel's own default of 30 MB.
        (await PostAsync("stream", 40 << 20)).ShouldBe((HttpStatusCode.OK, $"{40 << 20} any speed"));

        async Task<(HttpStatusCode Status, string Body)> PostAsync(string path, int bytes)
        {
            // Asks before it sends: a refusal would otherwise race with the rest of the body, and lose.
            using var request = new HttpRequestMessage(HttpMethod.Post, $"/peer/v1/test/{path}") { Content = new ByteArrayContent(new byte[bytes]) };
            request.Headers.ExpectContinue = true;
            using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
            return (response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        }
    }

    [Theory]
    [InlineData("/v1/nothing", HttpStatusCode.NotFound, ExitCodes.Usage, "there is no /v1/nothing here")]
    [InlineData("/v1/test/fail/api", HttpStatusCode.NotFound, ExitCodes.Refused, "no such thing")]
    [InlineData("/v1/test/fail/migration", HttpStatusCode.Conflict, ExitCodes.Refused, "h1: dump: criu failed (look there)")]
    [InlineData("/v1/test/fail/otherwise", HttpStatusCode.InternalServerError, ExitCodes.DaemonUnreachable, "a defect")]
    public async Task ErrorsSayWhy(string path, HttpStatusCode status, int exitCode, string message)
    {
        await using var h1 = await RunningDaemon.StartAsync("h1", new EchoModule());

        using var response = await h1.Local.GetAsync(path, TestContext.Current.CancellationToken);

        response.StatusCode.ShouldBe(status);
        var error = await response.Content.ReadFromJsonAsync(ApiJson.Default.ApiError, TestContext.Current.CancellationToken);
        error!.ExitCode.ShouldBe(exitCode);
        error.Message.ShouldContain(message);
    }

    [Theory]
    [InlineData("{}", "application/json", HttpStatusCode.BadRequest, "host")]
    [InlineData("""{"host":null}""", "application/json", HttpStatusCode.BadRequest, "host")]
    [InlineData("""{"host":"a b"}""", "application/json", HttpStatusCode.BadRequest, "\"a b\" is no address")]
    [InlineData("{", "application/json", HttpStatusCode.BadRequest, "PairRequest")]
    [InlineData("host=h2", "text/plain", HttpStatusCode.UnsupportedMediaType, "application/json")]
    public async Task WrongRequestsAreUsageErrors(string body, string type, HttpStatusCode status, string message)
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");

        using var response = await h1.Local.PostAsync("/v1/hosts/pair", new StringContent(body, Encoding.UTF8, type), TestContext.Current.CancellationToken);

        response.StatusCode.ShouldBe(status);
        var error = await response.Content.ReadFromJsonAsync(ApiJson.Default.ApiError, TestContext.Current.CancellationToken);
        error!.ExitCode.ShouldBe(ExitCodes.Usage);
        error.Message.ShouldContain(message);
    }

    [Fact]
    public async Task HostThatIsNeededIsNotRemoved()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1", new EchoModule());
        h1.Peers.TryAdd(new Peer("needed", new PeerAddress("10.0.0.2", 1), string.Join(':', Enumerable.Repeat("A0", 32)), DateTimeOffset.UnixEpoch));

        using var response = await h1.Local.DeleteAsync("/v1/hosts/needed", TestContext.Current.CancellationToken);

        response.StatusCode.ShouldBe(HttpStatusCode.Conflict);
        h1.Peers.FindByName("needed").ShouldNotBeNull();
    }

    [Fact]
    public async Task HostThatIsNotThereCannotBeRemoved()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");

        (await h1.Local.DeleteAsync("/v1/hosts/h9", TestContext.Current.CancellationToken)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task SocketIsForTheOwnerAloneWhereThereIsNoGroup()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");

        File.GetUnixFileMode(h1.Options.Socket).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public async Task SocketIsForTheGroupTooWhereThereIsOne()
    {
        Assert.SkipUnless(Environment.UserName == "root", "only root may give a file to a group");
        await using var h1 = await RunningDaemon.StartAsync("h1", o => o with { SocketGroup = "daemon" });

        File.GetUnixFileMode(h1.Options.Socket).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite);
    }

    [Fact]
    public async Task SocketGoesAwayWithTheDaemon()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.File("api.sock");
        await using (await RunningDaemon.StartAsync("h1", o => o with { Socket = path }))
        {
            File.Exists(path).ShouldBeTrue();
        }

        Directory.GetFileSystemEntries(directory.Path).ShouldBeEmpty();
    }

    [Fact]
    public async Task SocketThatADeadDaemonLeftIsReplaced()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.File("api.sock");
        using (var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            dead.Bind(new UnixDomainSocketEndPoint(path + ".x"));
            File.Move(path + ".x", path);
        }

        await using var h1 = await RunningDaemon.StartAsync("h1", o => o with { Socket = path });

        (await h1.Local.GetAsync("/v1/version", TestContext.Current.CancellationToken)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task SocketThatSomebodyListensOnIsLeftAlone()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");

        Should.Throw<ConfigurationException>(() => LocalSocket.Bind(h1.Options.Socket, "no-such-group")).Message.ShouldContain("another ctmigrated is running");

        (await h1.Local.GetAsync("/v1/version", TestContext.Current.CancellationToken)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public void FileInTheWayOfTheSocketIsLeftAlone()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.Write("api.sock", "precious");

        Should.Throw<ConfigurationException>(() => LocalSocket.Bind(path, "no-such-group")).Message.ShouldContain("no socket is in the way");

        File.ReadAllText(path).ShouldBe("precious");
    }

    private static HttpClient PeerClient(RunningDaemon daemon, string peer) =>
        daemon.Get<PeerHttpClientFactory>().GetClient(daemon.Peers.FindByName(peer)!);
}
