namespace ContainerMigrate.HostTests.Lab;

/// <summary>Plugs the Docker network `brnet` of both hosts into the lab's LAN, and gives the client an address there, until disposed.</summary>
public sealed class SharedBridge : IAsyncDisposable
{
    private const string ClientAddress = "10.78.0.100/24";

    private readonly LabFixture _lab;

    private SharedBridge(LabFixture lab) => _lab = lab;

    /// <summary>Address for a container on it.</summary>
    public static string IPv4 => "10.78.0.50";

    private static string Prefix => Environment.GetEnvironmentVariable("CTM_LAB") is { Length: > 0 } name ? name : "ctm";

    public static async Task<SharedBridge> PlugInAsync(LabFixture lab)
    {
        ArgumentNullException.ThrowIfNull(lab);
        var bridge = new SharedBridge(lab);
        try
        {
            foreach (var host in lab.Hosts)
            {
                await IpAsync("-n", $"{Prefix}-lan", "link", "add", $"br-{host.Name}", "type", "veth", "peer", "name", "uplink", "netns", $"{Prefix}-{host.Name}");
                await IpAsync("-n", $"{Prefix}-lan", "link", "set", $"br-{host.Name}", "master", "br0", "up");
                await host.RunAsync("ip", "link", "set", "uplink", "master", "brnet", "up");
            }

            await lab.Client.RunAsync("ip", "address", "add", ClientAddress, "dev", "eth0");
            return bridge;
        }
        catch
        {
            await bridge.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _lab.Client.TryAsync("ip", "address", "del", ClientAddress, "dev", "eth0");
        foreach (var host in _lab.Hosts)
        {
            await host.TryAsync("ip", "link", "del", "uplink");
        }
    }

    private static async Task IpAsync(params string[] arguments)
    {
        await using var process = new LabProcess("ip", arguments);
        process.Input.Close();
        (await process.WaitAsync(TimeSpan.FromSeconds(10))).Checked();
    }
}
