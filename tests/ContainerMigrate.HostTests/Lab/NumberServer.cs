namespace ContainerMigrate.HostTests.Lab;

/// <summary>The TCP server of numbered replies (tests/lab/workloads/srv.py) in a container on the LAN, of Docker or of plain runc.</summary>
public sealed class NumberServer
{
    private readonly string _runtime;

    private readonly int _number;

    private NumberServer(string runtime, string name, int number)
    {
        _runtime = runtime;
        _number = number;
        Name = name;
    }

    public string Name { get; }

    public static string IPv4 => "10.77.0.50";

    public static string IPv6 => "fd77::50";

    /// <summary>What `ctmigrate migrate` calls it.</summary>
    public string Operand => $"{_runtime}:{Name}";

    /// <summary>This one's own: 10.77.0.N and fd77::N.</summary>
    public IReadOnlyList<string> Addresses => [$"10.77.0.{_number}", $"fd77::{_number}"];

    /// <summary>Starts it, and returns when it listens.</summary>
    /// <param name="runtime">`docker` or `runc`.</param>
    /// <param name="memoryMebibytes">Random memory that it holds.</param>
    /// <param name="dockerOptions">More options for `docker run`.</param>
    /// <param name="number">Last part of its addresses.</param>
    public static async Task<NumberServer> StartAsync(
        LabHost host, string runtime = "docker", int memoryMebibytes = 16, IReadOnlyList<string>? dockerOptions = null, string name = "web", int number = 50)
    {
        ArgumentNullException.ThrowIfNull(host);
        var server = new NumberServer(runtime, name, number);
        if (runtime == "docker")
        {
            await host.DockerRunAsync(
                server.Name, ["--network", "lan", "--ip", server.Addresses[0], "--ip6", server.Addresses[1], "-e", $"MEMORY={memoryMebibytes}", .. dockerOptions ?? [], "ctm-small:1"]);
            await host.WaitForLogAsync(server.Name, "listening");
        }
        else
        {
            await using var bundle = new LabProcess(LabFixture.Program("bundle"), ["--at", $"{number}", host.Name, server.Name, $"MEMORY={memoryMebibytes}"]);
            (await bundle.WaitAsync(TimeSpan.FromMinutes(3))).Checked();
            await Eventually.BecomesTrueAsync("the server listens", async () => await host.RunAsync("ip", "netns", "exec", server.Name, "ss", "-Hltn", "sport = :9000") != "", TimeSpan.FromMinutes(1));
        }

        return server;
    }

    public async Task ShouldRunOnAsync(LabHost host) => (await StateOnAsync(host)).ShouldBe("running", $"{Name} on {host.Name}");

    public async Task ShouldBeAbsentOnAsync(LabHost host) => (await StateOnAsync(host)).ShouldBe("absent", $"{Name} on {host.Name}");

    /// <summary>Who it is on a host: which container, which process, since when, with what settings.</summary>
    public async Task<string> DescribeAsync(LabHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        return _runtime == "docker" ? (await host.InspectAsync(Name))?.ToJsonString() ?? "absent" : (await host.TryAsync("runc", "state", Name)).Text;
    }

    /// <summary>Removes it from a host, whatever state it is in.</summary>
    public async Task RemoveAsync(LabHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        await (_runtime == "docker" ? host.RunAsync("docker", "rm", "-f", Name) : host.RunAsync("runc", "delete", "-f", Name));
    }

    /// <summary>Its runtime's word for its state on a host; "absent" when it is not there.</summary>
    public Task<string> StateOnAsync(LabHost host) => _runtime == "docker" ? host.StateAsync(Name) : host.RuncStateAsync(Name);
}
