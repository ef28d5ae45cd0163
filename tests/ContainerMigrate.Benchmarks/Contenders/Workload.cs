using System.Globalization;

namespace ContainerMigrate.Benchmarks.Contenders;

/// <summary>The container that every contender moves: the server of numbered replies, tests/lab/workloads/srv.py.</summary>
/// <param name="MemoryMib">Random memory that it holds, in MiB.</param>
/// <param name="DirtyMibPerSecond">How much of it is rewritten each second, in MiB.</param>
internal sealed record Workload(int MemoryMib, int DirtyMibPerSecond)
{
    public const string Container = "web";
    public const string Image = "ctm-small:1";
    public const string Address = "10.77.0.50";

    /// <summary>Its settings, NAME=VALUE.</summary>
    public IReadOnlyList<string> Environment =>
        [string.Create(CultureInfo.InvariantCulture, $"MEMORY={MemoryMib}"), string.Create(CultureInfo.InvariantCulture, $"DIRTY={DirtyMibPerSecond}")];

    /// <summary>What follows `run -d` or `create` of Docker and Podman: the same on both hosts.</summary>
    public IReadOnlyList<string> DockerArguments =>
    [
        "--name", Container, "--hostname", Container, "--network", "lan", "--ip", Address, "--ip6", "fd77::50", "--mac-address", "02:42:0a:4d:00:32",
        .. Environment.SelectMany(e => (string[])["-e", e]), Image,
    ];
}
