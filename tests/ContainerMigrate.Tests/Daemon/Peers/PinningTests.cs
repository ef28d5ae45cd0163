using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using ContainerMigrate.Daemon.Identity;
using ContainerMigrate.Daemon.Peers;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.Peers;

/// <summary>Who gets in over TCP, and whom a daemon takes for its peer.</summary>
public sealed class PinningTests
{
    [Theory]
    [InlineData("GET", "/peer/v1/hello")]
    [InlineData("GET", "/peer/v1/no-such-thing")]
    [InlineData("DELETE", "/peer/v1/hello")]
    [InlineData("GET", "/peer/v1/pair/open")]
    [InlineData("POST", "/peer/v1/pair/other")]
    [InlineData("GET", "/v1/version")]
    [InlineData("POST", "/v1/hosts/code")]
    [InlineData("GET", "/")]
    public async Task StrangerGets403AndNothingElse(string method, string path)
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var stranger = await RunningDaemon.StartAsync("h2");
        using var client = stranger.ConnectTo(h1);

        using var response = await client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path), TestContext.Current.CancellationToken);

        response.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken)).ShouldBeEmpty();
        response.Headers.ConnectionClose.ShouldBe(true);
    }

    [Fact]
    public async Task StrangersCannotFillTheLog()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var stranger = await RunningDaemon.StartAsync("h2");
        using var client = stranger.ConnectTo(h1);
        for (var i = 0; i < 30; i++)
        {
            using var response = await client.GetAsync("/peer/v1/hello", TestContext.Current.CancellationToken);
        }

        h1.Log.Text.ShouldContain(stranger.Identity.Fingerprint);
        h1.Log.Text.Split("Turned away").Length.ShouldBeLessThan(15);
    }

    [Fact]
    public async Task StrangersCannotTakeAllConnections()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await using var stranger = await RunningDaemon.StartAsync("h3");
        await h1.PairWithAsync(h2);
        var held = new List<SslStream>();
        try
        {
            for (var i = 0; i < PeerConnections.MaxStrangers; i++)
            {
                held.Add(await ConnectAsync(h1.Address, PeerTls.ForClient(stranger.Identity, _ => true)));
            }

            // A client is done with the handshake before the server is: those above may not all have been counted yet.
            using var another = stranger.ConnectTo(h1);
            Exception? refusal = null;
            for (var i = 0; i < 1000 && refusal is null; i++)
            {
                refusal = await Record.ExceptionAsync(() => another.GetAsync("/peer/v1/hello", TestContext.Current.CancellationToken));
                if (refusal is null)
                {
                    // On a busy machine the first of them may have been idle for too long by now, and closed.
                    await Record.ExceptionAsync(async () => held.Add(await ConnectAsync(h1.Address, PeerTls.ForClient(stranger.Identity, _ => true))));
                }
            }

            refusal.ShouldBeOfType<HttpRequestException>();
            (await h2.ListHostsAsync()).Hosts.ShouldHaveSingleItem().Reachable.ShouldBeTrue();
        }
        finally
        {
            foreach (var stream in held)
            {
                await stream.DisposeAsync();
            }
        }
    }

    [Fact]
    public async Task ClientWithoutACertificateGetsNoAnswer()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");

        await Should.ThrowAsync<IOException>(() => HandshakeAndAskAsync(h1.Address, new SslClientAuthenticationOptions
        {
            TargetHost = "h1",
            EnabledSslProtocols = SslProtocols.Tls13,
            RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null,
        }));
    }

    [Fact]
    public async Task OlderTlsIsRefused()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        var options = PeerTls.ForClient(h2.Identity, _ => true);
        options.EnabledSslProtocols = SslProtocols.Tls12;

        await Should.ThrowAsync<AuthenticationException>(() => HandshakeAndAskAsync(h1.Address, options));
    }

    [Fact]
    public async Task PlainHttpIsRefused()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        using var client = new HttpClient();

        await Should.ThrowAsync<HttpRequestException>(() => client.GetAsync($"http://{h1.Address}/peer/v1/hello", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task CertificateOfAPeerWithoutItsKeyIsWorthNothing()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await using var thief = await RunningDaemon.StartAsync("h3");
        await h1.PairWithAsync(h2);

        // The certificate of h2 is known to everybody it has talked to; a key can only be the thief's own.
        using var stolen = X509CertificateLoader.LoadCertificate(h2.Identity.Certificate.RawData);
        Should.Throw<ArgumentException>(() => stolen.CopyWithPrivateKey(thief.Identity.Certificate.GetECDsaPrivateKey()!));
        using var client = thief.ConnectTo(h1);
        using var response = await client.GetAsync("/peer/v1/hello", TestContext.Current.CancellationToken);

        response.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task PeerIsKnownByNameToTheEndpoints()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1", new EchoModule());
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await h1.PairWithAsync(h2);

        var client = h2.Get<PeerHttpClientFactory>().GetClient(h2.Peers.FindByName("h1")!);

        (await client.GetStringAsync("/peer/v1/test/who", TestContext.Current.CancellationToken)).ShouldBe($"h2 {h2.Identity.Fingerprint}");
    }

    [Fact]
    public async Task RemovedPeerIsAStrangerOnConnectionsItHasAlready()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await h1.PairWithAsync(h2);
        var client = h2.Get<PeerHttpClientFactory>().GetClient(h2.Peers.FindByName("h1")!);
        (await client.GetAsync("/peer/v1/hello", TestContext.Current.CancellationToken)).StatusCode.ShouldBe(HttpStatusCode.OK);

        (await h1.Local.DeleteAsync("/v1/hosts/h2", TestContext.Current.CancellationToken)).StatusCode.ShouldBe(HttpStatusCode.NoContent);

        (await client.GetAsync("/peer/v1/hello", TestContext.Current.CancellationToken)).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        var host = (await h2.ListHostsAsync()).Hosts.ShouldHaveSingleItem();
        host.Reachable.ShouldBeFalse();
        host.Detail.ShouldContain("does not know this host");
    }

    [Fact]
    public async Task RemovedPeerIsNotCalledAnyMore()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await h1.PairWithAsync(h2);
        var peer = h1.Peers.FindByName("h2")!;
        h1.Peers.Remove("h2");

        await Should.ThrowAsync<HttpRequestException>(() => h1.Get<PeerHttpClientFactory>().GetClient(peer).GetAsync("/peer/v1/hello", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task SomebodyElseAtThePeersAddressIsNotTakenForIt()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await h1.PairWithAsync(h2);
        await using var mallory = new MachineInTheMiddle(h2.Address);
        h1.Peers.TryAdd(h1.Peers.FindByName("h2")! with { Address = mallory.Address }).ShouldBeTrue();

        var host = (await h1.ListHostsAsync()).Hosts.ShouldHaveSingleItem();

        host.Reachable.ShouldBeFalse();
        host.Detail.ShouldContain("not with the one h2 was paired with");
    }

    [Fact]
    public async Task ClockOffsetOfAPeerIsMeasured()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2");
        await h1.PairWithAsync(h2);
        h2.Time.Offset = TimeSpan.FromSeconds(90);

        (await h1.ListHostsAsync()).Hosts.ShouldHaveSingleItem().ClockOffsetMs!.Value.ShouldBe(90_000, tolerance: 500);
        (await h2.ListHostsAsync()).Hosts.ShouldHaveSingleItem().ClockOffsetMs!.Value.ShouldBe(-90_000, tolerance: 500);
    }

    private static async Task<SslStream> ConnectAsync(PeerAddress address, SslClientAuthenticationOptions options)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(address.Host, address.Port, TestContext.Current.CancellationToken);
        var tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
        try
        {
            await tls.AuthenticateAsClientAsync(options, TestContext.Current.CancellationToken);
            return tls;
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
    }

    private static async Task HandshakeAndAskAsync(PeerAddress address, SslClientAuthenticationOptions options)
    {
        await using var tls = await ConnectAsync(address, options);

        // In TLS 1.3 the server looks at the client's certificate after the client is done.
        await tls.WriteAsync("GET /peer/v1/hello HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
        if (await tls.ReadAsync(new byte[1], TestContext.Current.CancellationToken) == 0)
        {
            throw new IOException("closed without an answer");
        }
    }
}
