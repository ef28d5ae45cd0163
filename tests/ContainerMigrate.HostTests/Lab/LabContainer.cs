namespace ContainerMigrate.HostTests.Lab;

/// <summary>A container on the LAN under <see cref="IPv4"/> and <see cref="IPv6"/>, of Docker or of plain runc.</summary>
public sealed class LabContainer
{
    private readonly string _runtime;

    private LabContainer(string runtime, string name)
    {
        _runtime = runtime;
        Name = name;
    }

    public static string IPv4 => "10.77.0.50";

    public static string IPv6 => "fd77::50";

    public string Name { get; }

    /// <summary>Starts it; what runs in it need not be ready yet.</summary>
    /// <param name="runtime">`docker` or `runc`.</param>
    /// <param name="image">Image of Docker; with runc its files are the bundle's.</param>
    /// <param name="environment">NAME=VALUE.</param>
    public static Task<LabContainer> StartAsync(LabHost host, string runtime, string name, string image, IReadOnlyList<string> command, params string[] environment) =>
        StartAsync(host, runtime, name, image, command, [], environment);

    /// <inheritdoc cref="StartAsync(LabHost, string, string, string, IReadOnlyList{string}, string[])"/>
    /// <param name="volumes">As for `docker run -v`; with runc directories of the host only, SOURCE:TARGET.</param>
    public static async Task<LabContainer> StartAsync(
        LabHost host, string runtime, string name, string image, IReadOnlyList<string> command, IReadOnlyList<string> volumes, IReadOnlyList<string> environment)
    {
        ArgumentNullException.ThrowIfNull(host);
        if (runtime == "docker")
        {
            await host.DockerRunAsync(name, ["--network", "lan", "--ip", IPv4, "--ip6", IPv6, .. environment.SelectMany(e => (string[])["-e", e]), .. volumes.SelectMany(v => (string[])["-v", v]), image, .. command]);
        }
        else
        {
            await using var bundle = new LabProcess(LabFixture.Program("bundle"), [host.Name, name, .. volumes.SelectMany(v => (string[])["-v", v]), .. environment, "--", image, .. command]);
            (await bundle.WaitAsync(TimeSpan.FromMinutes(3))).Checked();
        }

        return new LabContainer(runtime, name);
    }

    /// <summary>It runs on one host and is gone from the other.</summary>
    public async Task ShouldHaveMovedAsync(LabHost source, LabHost destination)
    {
        (await StateOnAsync(destination)).ShouldBe("running", $"{Name} on {destination.Name}");
        (await StateOnAsync(source)).ShouldBe("absent", $"{Name} on {source.Name}");
    }

    private Task<string> StateOnAsync(LabHost host) => _runtime == "docker" ? host.StateAsync(Name) : host.RuncStateAsync(Name);
}
