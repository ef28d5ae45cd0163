using System.Text.Json;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>Clients of the number server, each on a connection of its own (tests/lab/workloads/gapclient.py), that miss nothing.</summary>
public sealed class NumberClient : IAsyncDisposable
{
    private readonly LabProcess _process;
    private readonly string _name;

    private NumberClient(LabProcess process, string name)
    {
        _process = process;
        _name = name;
    }

    /// <summary>Connects, and returns when every connection stands.</summary>
    /// <param name="member">Where the clients run.</param>
    /// <param name="address">IPv4 or IPv6 address of the server.</param>
    /// <param name="mode">`steady`: a line every 20 ms whatever comes back; `wait`: each after the last one's answer.</param>
    public static async Task<NumberClient> ConnectAsync(LabMember member, string address, string mode = "steady", int connections = 2)
    {
        ArgumentNullException.ThrowIfNull(member);
        var process = member.Start("python3", "/app/gapclient.py", address, "--mode", mode, "--connections", $"{connections}");
        await process.WaitForErrorAsync(l => l.StartsWith("connected", StringComparison.Ordinal));
        return new NumberClient(process, $"{connections} {mode} clients of {address}");
    }

    /// <summary>What it has told of connections that ended; empty as long as all stand.</summary>
    public string Complaints => string.Join(' ', _process.ErrorSoFar.Split('\n').Where(l => l.StartsWith("a connection ended", StringComparison.Ordinal)).Select(l => $"{_name}: {l}"));

    /// <summary>Stops sending, waits for the replies that are due, and tells how it went.</summary>
    public async Task<NumberReport> StopAsync()
    {
        _process.Terminate();
        var result = await _process.WaitAsync(TimeSpan.FromMinutes(2));
        var report = JsonSerializer.Deserialize<NumberReport>(result.Lines is [.., var last] ? last : throw new CommandFailedException(result), NumberReport.Json)!;
        Measured.Write($"{_name}: {report}");
        return report;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
