using System.Text.Json.Nodes;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>What clients send while the container can take nothing is kept and delivered: it is not for their timers to send it again.</summary>
public sealed class PacketsOfThePauseTests(LabFixture lab) : HostTest(lab)
{
    private const string Container = "web";

    private readonly LabFixture _lab = lab;

    [Theory]
    [InlineData("docker")]
    [InlineData("runc")]
    public async Task OfAMacvlanReachTheContainerOnTheDestination(string runtime)
    {
        await LabContainer.StartAsync(H1, runtime, Container, "ctm-small:1", ["python3", "-c", Datagrams.Server]);

        await MoveUnderLoadAsync(LabContainer.IPv4, LabContainer.IPv6);
    }

    [Fact]
    public async Task OfABridgeReachTheContainerOnTheDestination()
    {
        await using var bridge = await SharedBridge.PlugInAsync(_lab);
        await H1.DockerRunAsync(Container, "--network", "brnet", "--ip", SharedBridge.IPv4, "ctm-small:1", "python3", "-c", Datagrams.Server);

        await MoveUnderLoadAsync(SharedBridge.IPv4);
        await H2.RemoveContainersAsync();
    }

    [Fact]
    public async Task ReachTheContainerOnTheSourceWhenTheRestoreFails()
    {
        await LabContainer.StartAsync(H1, "docker", Container, "ctm-small:1", ["python3", "-c", Datagrams.Server]);
        await using (var clients = await Load.BeginAsync(Client, LabContainer.IPv4, LabContainer.IPv6))
        {
            await using (await AlteredCriu.FailingToRestoreAsync(H2))
            {
                (await H1.MigrateAsync(Container, H2)).ExitCode.ShouldBe(20);
            }

            await clients.ShouldBeServedAsync();
        }

        (await H1.DaemonAsync("log")).ShouldMatch(@"[1-9]\d* of [1-9]\d* packets of the pause delivered \(\d+ KiB\), 0 dropped");
        (await H1.StateAsync(Container)).ShouldBe("running");
        await ShouldBeAsBeforeAsync(H2);
    }

    private async Task MoveUnderLoadAsync(params string[] addresses)
    {
        await using var clients = await Load.BeginAsync(Client, addresses);

        var moved = await H1.MigrateAsync(Container, H2);

        moved.ShouldBeDone();
        await clients.ShouldBeServedAsync();
        var packets = moved.Json["kept_packets"].ShouldBeOfType<JsonObject>();
        Measured.Write($"packets of the pause: {packets.ToJsonString()}");
        var kept = packets["kept"]!.GetValue<int>();
        kept.ShouldBeGreaterThan(16 * addresses.Length); // each connection's first one, and datagrams
        packets["delivered"]!.GetValue<int>().ShouldBe(kept);
        packets["dropped"]!.GetValue<int>().ShouldBe(0);
    }

    /// <summary>16 connections and a sender of datagrams for each address.</summary>
    private sealed class Load : IAsyncDisposable
    {
        private readonly List<NumberClient> _connections = [];
        private readonly List<Datagrams> _datagrams = [];

        public static async Task<Load> BeginAsync(LabMember member, params string[] addresses)
        {
            var load = new Load();
            foreach (var address in addresses)
            {
                load._connections.Add(await NumberClient.ConnectAsync(member, address, connections: 16));
                load._datagrams.Add(await Datagrams.SendAsync(member, address));
            }

            return load;
        }

        /// <summary>Stops all: every byte came, once and in order, and no connection was reset.</summary>
        public async Task ShouldBeServedAsync()
        {
            foreach (var report in await Task.WhenAll(_connections.Select(c => c.StopAsync())))
            {
                report.ShouldBeComplete();
            }

            await Task.WhenAll(_datagrams.Select(d => d.ShouldBeAnsweredAsync()));
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var client in _connections)
            {
                await client.DisposeAsync();
            }

            foreach (var client in _datagrams)
            {
                await client.DisposeAsync();
            }
        }
    }
}
