using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using ContainerMigrate.Api;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Daemon.Peers.Pairing;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.Peers;

/// <summary>Two or more whole daemons on loopback pair, or do not.</summary>
public sealed class PairingTests
{
    private const string WrongCode = "0000-0000-0000-0000";

    [Fact]
    public async Task WithoutACodeTheOtherSideShowsOneInItsListAndItsLog()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");

        var (status, reply, _) = await h1.PairAsync(h2.Address, code: null);

        status.ShouldBe(HttpStatusCode.OK);
        reply!.Paired.ShouldBeFalse();
        reply.Message.ShouldContain("h2");
        var open = (await h2.ListHostsAsync()).OpenCode.ShouldNotBeNull();
        open.RequestedBy.ShouldBe("h1");
        h2.Log.Text.ShouldContain(open.Code);
        h1.Log.Text.ShouldNotContain(open.Code);
        h1.Peers.All.ShouldBeEmpty();
    }

    [Fact]
    public async Task RightCodePairsBothWays()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await h1.PairAsync(h2.Address, code: null);
        var code = (await h2.ListHostsAsync()).OpenCode!.Code;

        var (_, reply, _) = await h1.PairAsync(h2.Address, code.ToLowerInvariant());

        reply!.Paired.ShouldBeTrue();
        reply.Host!.Name.ShouldBe("h2");
        reply.Host.Reachable.ShouldBeTrue();
        h1.Peers.All.ShouldHaveSingleItem().Fingerprint.ShouldBe(h2.Identity.Fingerprint);
        h2.Peers.All.ShouldHaveSingleItem().Fingerprint.ShouldBe(h1.Identity.Fingerprint);
        foreach (var (daemon, other) in new[] { (h1, h2), (h2, h1) })
        {
            var host = (await daemon.ListHostsAsync()).Hosts.ShouldHaveSingleItem();
            host.Name.ShouldBe(other.Options.HostName);
            host.Address.ShouldBe(other.Address.ToString());
            host.Reachable.ShouldBeTrue(host.Detail);
            host.RoundTripMs!.Value.ShouldBeInRange(0, 1000);
            host.ClockOffsetMs!.Value.ShouldBeInRange(-1000, 1000);
        }
    }

    [Fact]
    public async Task AdvertisedAddressIsLearnedInThePlaceOfTheOneSeen()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1", o => o with { PeerAdvertise = new PeerAddress("h1.example.org", 17440) });
        await using var h2 = await RunningDaemon.StartAsync("h2");

        await h1.PairWithAsync(h2);

        h2.Peers.All.ShouldHaveSingleItem().Address.ShouldBe(new PeerAddress("h1.example.org", 17440));
    }

    [Fact]
    public async Task CodeServesOnce()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await using var h3 = await RunningDaemon.StartAsync("h3");
        var code = (await h2.OpenCodeAsync()).Code;
        (await h1.PairAsync(h2.Address, code)).Reply!.Paired.ShouldBeTrue();

        var (status, _, error) = await h3.PairAsync(h2.Address, code);

        status.ShouldBe(HttpStatusCode.Conflict);
        error!.ExitCode.ShouldBe(ExitCodes.Refused);
        error.Message.ShouldContain("no pairing code is open");
        h2.Peers.FindByName("h3").ShouldBeNull();
        h3.Peers.All.ShouldBeEmpty();
    }

    [Fact]
    public async Task WrongCodePairsNobodyAndTheRightOneStillWorks()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        var code = (await h2.OpenCodeAsync()).Code;

        (await h1.PairAsync(h2.Address, WrongCode)).Error!.Message.ShouldContain("refused the code");
        h1.Peers.All.ShouldBeEmpty();
        h2.Peers.All.ShouldBeEmpty();

        (await h1.PairAsync(h2.Address, code)).Reply!.Paired.ShouldBeTrue();
    }

    [Fact]
    public async Task ThirdWrongTryClosesTheCode()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        var code = (await h2.OpenCodeAsync()).Code;
        await h1.PairAsync(h2.Address, WrongCode);
        await h1.PairAsync(h2.Address, WrongCode);

        (await h1.PairAsync(h2.Address, WrongCode)).Error!.Message.ShouldContain("closed it");

        (await h2.ListHostsAsync()).OpenCode.ShouldBeNull();
        (await h1.PairAsync(h2.Address, code)).Error!.Message.ShouldContain("no pairing code is open");
        h2.Peers.All.ShouldBeEmpty();
    }

    [Fact]
    public async Task CodeExpiresAfterTenMinutes()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        var code = (await h2.OpenCodeAsync()).Code;

        h2.Time.Offset = TimeSpan.FromMinutes(10);

        (await h2.ListHostsAsync()).OpenCode.ShouldBeNull();
        (await h1.PairAsync(h2.Address, code)).Error!.Message.ShouldContain("no pairing code is open");
        h2.Peers.All.ShouldBeEmpty();
    }

    [Fact]
    public async Task OperatorGetsTheOpenCodeWhileThereIsTimeToTypeIt()
    {
        await using var h2 = await RunningDaemon.StartAsync("h2");
        var first = await h2.OpenCodeAsync();

        (await h2.OpenCodeAsync()).ShouldBe(first);

        h2.Time.Offset = TimeSpan.FromMinutes(9);
        (await h2.OpenCodeAsync()).Code.ShouldNotBe(first.Code);
    }

    [Fact]
    public async Task TextThatIsNoCodeIsRefusedBeforeATryIsSpent()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        var code = (await h2.OpenCodeAsync()).Code;
        for (var i = 0; i < 4; i++)
        {
            var (status, _, error) = await h1.PairAsync(h2.Address, "1234");
            status.ShouldBe(HttpStatusCode.BadRequest);
            error!.ExitCode.ShouldBe(ExitCodes.Usage);
        }

        (await h1.PairAsync(h2.Address, code)).Reply!.Paired.ShouldBeTrue();
    }

    [Fact]
    public async Task NameThatAnotherHostHasIsRefusedOnEitherSideWithTheNextStep()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await using var otherH1 = await RunningDaemon.StartAsync("h1");
        await h1.PairWithAsync(h2);

        // The called side knows the caller's name.
        var code = (await h2.OpenCodeAsync()).Code;
        (await otherH1.PairAsync(h2.Address, code)).Error!.Message.ShouldContain("ctmigrate hosts remove");
        h2.Peers.All.ShouldHaveSingleItem().Fingerprint.ShouldBe(h1.Identity.Fingerprint);
        otherH1.Peers.All.ShouldBeEmpty();

        // The caller knows the called side's name.
        code = (await otherH1.OpenCodeAsync()).Code;
        (await h2.PairAsync(otherH1.Address, code)).Error!.Message.ShouldContain("ctmigrate hosts remove h1");
        otherH1.Peers.All.ShouldBeEmpty();
    }

    [Fact]
    public async Task PairingAgainIsHarmless()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await h1.PairWithAsync(h2);

        await h1.PairWithAsync(h2);
        await h2.PairWithAsync(h1);

        h1.Peers.All.ShouldHaveSingleItem();
        h2.Peers.All.ShouldHaveSingleItem();
        (await h1.ListHostsAsync()).Hosts.ShouldHaveSingleItem().Reachable.ShouldBeTrue();
    }

    [Fact]
    public async Task HostDoesNotPairWithItself()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        var code = (await h1.OpenCodeAsync()).Code;

        (await h1.PairAsync(h1.Address, code)).Error!.Message.ShouldContain("is this host itself");
        (await h1.PairAsync(h1.Address, code: null)).Error!.Message.ShouldContain("is this host itself");

        h1.Peers.All.ShouldBeEmpty();
    }

    [Fact]
    public async Task TwoHostsOfOneNameDoNotPair()
    {
        await using var first = await RunningDaemon.StartAsync("h1");
        await using var second = await RunningDaemon.StartAsync("h1");

        (await first.PairAsync(second.Address, (await second.OpenCodeAsync()).Code)).Error!.Message.ShouldContain("host_name");

        second.Peers.All.ShouldBeEmpty();
    }

    [Fact]
    public async Task WhoeverSitsBetweenTheHostsPairsWithNeither()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await using var mallory = new MachineInTheMiddle(h2.Address);
        var code = (await h2.OpenCodeAsync()).Code;

        var (_, _, error) = await h1.PairAsync(mallory.Address, code);

        error!.Message.ShouldContain("somebody is between the two hosts");
        h1.Peers.All.ShouldBeEmpty();
        h2.Peers.All.ShouldBeEmpty();
        mallory.Connections.ShouldBeGreaterThan(0);
        (await h1.PairAsync(h2.Address, code)).Reply!.Paired.ShouldBeTrue();
    }

    [Fact]
    public async Task WhoeverAnswersWithoutKnowingTheCodeIsNotPinned()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var impostor = new MachineInTheMiddle(
            """{"name":"h2","nonce":"NONCE"}""".Replace("NONCE", new string('0', 64), StringComparison.Ordinal),
            """{"proof":"PROOF"}""".Replace("PROOF", new string('0', 64), StringComparison.Ordinal));

        var (_, _, error) = await h1.PairAsync(impostor.Address, WrongCode);

        error!.Message.ShouldContain("does not know the code itself");
        h1.Peers.All.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("""{"name":"h2"}""")]
    [InlineData("""{"name":"h2\u001b[2J","nonce":"00"}""")]
    [InlineData("hello")]
    public async Task WhatIsNoDaemonIsSaidToBeNone(string answer)
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var impostor = new MachineInTheMiddle(answer);

        var (_, _, error) = await h1.PairAsync(impostor.Address, code: null);

        error!.Message.ShouldContain("does not speak as a ctmigrated does");
        error.Message.Any(char.IsControl).ShouldBeFalse();
    }

    [Fact]
    public async Task RecordedProofIsWorthNothingLater()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        using var client = h1.ConnectTo(h2);
        var code = (await h2.OpenCodeAsync()).Code.Replace("-", "", StringComparison.Ordinal);
        var opened = await SendAsync(client, "open", new PairOpenRequest("h1", ShowCode: false));
        var nonce = (await opened.Content.ReadFromJsonAsync(PairingJson.Default.PairOpenReply, TestContext.Current.CancellationToken))!.Nonce;
        var proof = Proof(h1, h2, nonce);
        var recorded = new PairProveRequest("h1", "", proof.CallerPort, Convert.ToHexString(proof.CallerNonce), Convert.ToHexString(proof.ByCaller(code)));
        (await SendAsync(client, "prove", recorded)).StatusCode.ShouldBe(HttpStatusCode.OK);
        h2.Peers.Remove("h1");

        (await ReasonAsync(await SendAsync(client, "prove", recorded))).ShouldBe(PairRefusal.NoCode);

        await h2.OpenCodeAsync();
        (await ReasonAsync(await SendAsync(client, "prove", recorded))).ShouldBe(PairRefusal.WrongCode);
        h2.Peers.All.ShouldBeEmpty();
    }

    [Fact]
    public async Task ProofOfOneRoleIsNoProofOfTheOther()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        var proof = Proof(h1, h2, new string('0', 64));

        proof.ByCaller(WrongCode).ShouldNotBe(proof.ByCalled(WrongCode));
        proof.ByCaller(WrongCode).ShouldNotBe((proof with { CallerPort = 1 }).ByCaller(WrongCode));
        proof.ByCaller(WrongCode).ShouldNotBe((proof with { CallerName = "h1h", CalledName = "2" }).ByCaller(WrongCode));
    }

    [Theory]
    [InlineData("""{"name":"h1"}""")]
    [InlineData("""{"name":"h 1","address":"","port":1,"nonce":"","proof":""}""")]
    [InlineData("not json")]
    [InlineData("")]
    public async Task RequestThatMakesNoSenseSpendsNoTry(string body)
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        var code = (await h2.OpenCodeAsync()).Code;
        using var client = h1.ConnectTo(h2);
        for (var i = 0; i < 4; i++)
        {
            using var response = await client.PostAsync("/peer/v1/pair/prove", new StringContent(body), TestContext.Current.CancellationToken);
            response.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        }

        (await h1.PairAsync(h2.Address, code)).Reply!.Paired.ShouldBeTrue();
    }

    [Fact]
    public async Task LargeRequestOfAStrangerIsNotRead()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        using var client = h1.ConnectTo(h2);

        using var request = new HttpRequestMessage(HttpMethod.Post, "/peer/v1/pair/open") { Content = new ByteArrayContent(new byte[8192]) };
        request.Headers.ExpectContinue = true;
        using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);

        response.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task ManyRequestsAreHeldOff()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        using var client = h1.ConnectTo(h2);

        var reasons = new List<PairRefusal>();
        for (var i = 0; i < 40; i++)
        {
            reasons.Add(await ReasonAsync(await SendAsync(client, "open", new PairOpenRequest("h1", ShowCode: false))));
        }

        reasons.ShouldContain(PairRefusal.Busy);
        reasons.Count(r => r == PairRefusal.NoCode).ShouldBeLessThan(35);
    }

    [Fact]
    public async Task HostThatNobodyListensOnIsSaidToBeSo()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");

        var (status, _, error) = await h1.PairAsync(new PeerAddress("127.0.0.1", 1), code: null);

        status.ShouldBe(HttpStatusCode.Conflict);
        error!.Message.ShouldContain("nothing listens at 127.0.0.1:1");
    }

    [Fact]
    public async Task CodesAreLoggedOnlyWhereTheyAreShown()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        var code = (await h2.OpenCodeAsync()).Code;
        await h1.PairAsync(h2.Address, code);

        h1.Log.Text.ShouldNotContain(code);
        h2.Log.Text.Split(code).Length.ShouldBe(2);
    }

    private static PairingProof Proof(RunningDaemon caller, RunningDaemon called, string calledNonce) => new()
    {
        CallerName = caller.Options.HostName,
        CalledName = called.Options.HostName,
        CallerFingerprint = caller.Identity.Fingerprint,
        CalledFingerprint = called.Identity.Fingerprint,
        CallerNonce = RandomNumberGenerator.GetBytes(PairingProof.NonceBytes),
        CalledNonce = Convert.FromHexString(calledNonce),
        CallerAddress = "",
        CallerPort = 7440,
    };

    private static Task<HttpResponseMessage> SendAsync<T>(HttpClient client, string step, T request) =>
        client.PostAsync($"/peer/v1/pair/{step}", JsonContent.Create(request, PairingJson.Default.GetTypeInfo(typeof(T))!), TestContext.Current.CancellationToken);

    private static async Task<PairRefusal> ReasonAsync(HttpResponseMessage response) =>
        (await response.Content.ReadFromJsonAsync(PairingJson.Default.PairRefused, TestContext.Current.CancellationToken))!.Reason;
}
