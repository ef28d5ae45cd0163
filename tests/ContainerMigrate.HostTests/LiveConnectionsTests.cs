using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>A TCP server with live clients: they notice a pause and nothing else.</summary>
public sealed class LiveConnectionsTests(LabFixture lab) : HostTest(lab)
{
    [Theory]
    [InlineData("docker")]
    [InlineData("runc")]
    public async Task SurviveTheMoveOverIPv4AndIPv6(string runtime)
    {
        var web = await NumberServer.StartAsync(H1, runtime);
        await using var steady4 = await NumberClient.ConnectAsync(Client, NumberServer.IPv4, "steady");
        await using var steady6 = await NumberClient.ConnectAsync(Client, NumberServer.IPv6, "steady");
        await using var waiting4 = await NumberClient.ConnectAsync(Client, NumberServer.IPv4, "wait");
        await using var waiting6 = await NumberClient.ConnectAsync(Client, NumberServer.IPv6, "wait");

        var moved = await H1.MigrateAsync(web.Name, H2);

        moved.ShouldBeDone();
        await web.ShouldRunOnAsync(H2);
        await web.ShouldBeAbsentOnAsync(H1);
        await using var fresh = await NumberClient.ConnectAsync(Client, NumberServer.IPv4);
        foreach (var client in (NumberClient[])[steady4, steady6, waiting4, waiting6, fresh])
        {
            (await client.StopAsync()).ShouldBeComplete();
        }

        await ShouldBeAsBeforeAsync(H1);
    }

    [Fact]
    public async Task OfAServerInPerlSurviveTheMoveForAClientThatHasIPv6Only()
    {
        // One process, one event loop: counts the lines of all its clients.
        const string Server = """
            use strict; use IO::Select; use Socket qw(:all);
            socket(my $server, AF_INET6, SOCK_STREAM, 0) or die $!;
            bind($server, pack_sockaddr_in6(9000, inet_pton(AF_INET6, "::"))) && listen($server, 9) or die $!;
            my ($clients, $count) = (IO::Select->new($server), 0);
            $| = 1; print "listening\n";
            while (my @ready = $clients->can_read) {
                for my $client (@ready) {
                    if ($client == $server) { my $new; accept($new, $server) and $clients->add($new) }
                    elsif (sysread $client, my $text, 4096) { for (1 .. $text =~ tr/\n//) { syswrite $client, ++$count . "\n" } }
                    else { $clients->remove($client); close $client }
                }
            }
            """;
        const string Ask = """
            import socket, sys
            file = socket.create_connection(("fd77::50", 9000), source_address=("fd77::66", 0)).makefile("rw")
            for line in sys.stdin:
                file.write(line)
                file.flush()
                print(file.readline(), end="", flush=True)
            """;
        // A machine of its own behind the client's, without any IPv4.
        AtTheEnd(() => Client.RunAsync("ip", "netns", "del", "six"));
        await Client.ShellAsync("""
            ip netns add six
            ip link add six0 netns six link eth0 type macvlan mode bridge
            ip -n six address add fd77::66/64 dev six0 nodad
            ip -n six link set six0 up
            """);
        var perl = await LabContainer.StartAsync(H1, "docker", "perl", "ctm-small:1", ["perl", "-e", Server]);
        await H1.WaitForLogAsync(perl.Name, "listening");
        await using var client = Client.Start("ip", "netns", "exec", "six", "python3", "-c", Ask);
        var asking = await Conversation.StartAsync(client, n => $"{n}");

        (await H1.MigrateAsync(perl.Name, H2)).ShouldBeDone();

        await perl.ShouldHaveMovedAsync(H1, H2);
        await asking.EndAsync();
        client.ErrorSoFar.ShouldBeEmpty();
    }
}
