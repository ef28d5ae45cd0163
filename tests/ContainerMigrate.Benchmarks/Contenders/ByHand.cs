using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using ContainerMigrate.Benchmarks.Lab;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.Benchmarks.Contenders;

/// <summary>
/// What every move by hand needs, with all that helps it: the copy is a plain tar pipe from memory to memory, and packets for the container are dropped on
/// h2 until it runs, since one that arrives before its sockets do would be answered with a reset.
/// </summary>
internal sealed partial class ByHand(BenchmarkLab lab)
{
    private readonly Dictionary<string, double> _parts = [];

    /// <summary>Of the steps so far, in order, in milliseconds.</summary>
    public IReadOnlyDictionary<string, double> Parts => _parts;

    public LabMember[] Hosts => [lab.H1, lab.H2];

    /// <summary>Drops on h2 what the LAN sends to the container, its ARP requests too.</summary>
    // At eth0's ingress: ahead of the macvlan device, whose parent it is.
    public Task CloseAsync(CancellationToken cancellationToken) => lab.H2.RunAsync(
        ["nft", $"add table netdev fence; add chain netdev fence in {{ type filter hook ingress device eth0 priority -500; }}; add rule netdev fence in ip daddr {Workload.Address} drop; add rule netdev fence in arp daddr ip {Workload.Address} drop"],
        cancellationToken);

    public Task OpenAsync(CancellationToken cancellationToken) => StepAsync("open", () => lab.H2.RunAsync(["nft", "delete table netdev fence"], cancellationToken));

    /// <summary>Times a step.</summary>
    public async Task<T> StepAsync<T>(string name, Func<Task<T>> step)
    {
        var clock = Stopwatch.StartNew();
        var result = await step();
        _parts[name] = Math.Round(clock.Elapsed.TotalMilliseconds, 1);
        return result;
    }

    /// <summary>Copies what <paramref name="names"/> are in <paramref name="from"/> on h1 into <paramref name="to"/> on h2; returns the bytes sent.</summary>
    public Task<long> CopyAsync(string from, string names, string to, CancellationToken cancellationToken) => StepAsync("copy", async () =>
    {
        var host = BenchmarkLab.InRepository("tests", "lab", "host");
        var pipe = $"'{host}' h1 tar -C {from} -c --totals {names} | '{host}' h2 tar -C {to} -x";
        await using var process = new LabProcess("bash", ["-euo", "pipefail", "-c", pipe], BenchmarkLab.Environment);
        process.Input.Close();
        var result = (await process.WaitAsync(TimeSpan.FromMinutes(10)).WaitAsync(cancellationToken)).Checked();
        return TotalBytes().Match(result.Error) is { Success: true } match
            ? long.Parse(match.Groups["bytes"].Value, CultureInfo.InvariantCulture)
            : throw new MoveFailedException($"tar did not tell how much it sent: {result.Error}");
    });

    /// <summary>Removes the fence, if it is still there, and runs more on both hosts.</summary>
    public async Task CleanUpAsync(string command, CancellationToken cancellationToken)
    {
        _parts.Clear();
        foreach (var host in Hosts)
        {
            await host.ShellAsync($"nft delete table netdev fence 2>/dev/null || true; {command}", cancellationToken);
        }
    }

    [GeneratedRegex(@"Total bytes written: (?<bytes>\d+)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex TotalBytes();
}
