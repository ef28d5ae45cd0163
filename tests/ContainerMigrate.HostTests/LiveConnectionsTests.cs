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
}
