using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>A container is on the destination what it was on the source.</summary>
public sealed class FidelityTests(LabFixture lab) : HostTest(lab)
{
    [Fact]
    public async Task PausedContainerArrivesPausedAndGoesOn()
    {
        var web = await NumberServer.StartAsync(H1);
        await H1.RunAsync("docker", "pause", web.Name);

        (await H1.MigrateAsync(web.Name, H2)).ShouldBeDone();

        (await H2.StateAsync(web.Name)).ShouldBe("paused");
        await web.ShouldBeAbsentOnAsync(H1);
        await H2.RunAsync("docker", "unpause", web.Name);
        await using var client = await NumberClient.ConnectAsync(Client, NumberServer.IPv4, "wait");
        (await client.StopAsync()).ShouldBeComplete();
    }
}
