using System.Text.Json;
using ContainerMigrate.Benchmarks.Contenders;
using ContainerMigrate.Benchmarks.Lab;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.Benchmarks.Clients;

/// <summary>Connections to the server of numbered replies, on the lab's client: tests/lab/workloads/gapclient.py. Disposing ends them.</summary>
internal sealed class GapClient : IAsyncDisposable
{
    // Filling a few GiB with random bytes takes the server a while.
    private static readonly TimeSpan ConnectsWithin = TimeSpan.FromMinutes(1);

    // After a pause of 40 s a retransmission may be 25 s away: no reply is called lost before.
    private static readonly TimeSpan LastRepliesWithin = TimeSpan.FromMinutes(1);

    private readonly LabProcess _process;
    private readonly string _name;

    private GapClient(LabProcess process, string name)
    {
        _process = process;
        _name = name;
    }

    /// <summary>Returns when all connections stand.</summary>
    /// <param name="name">For messages.</param>
    /// <param name="options">Options of gapclient.py.</param>
    public static async Task<GapClient> ConnectAsync(LabMember member, string name, IReadOnlyList<string> options, CancellationToken cancellationToken)
    {
        var process = member.Start(
            ["python3", "/app/gapclient.py", Workload.Address, "--wait-for-server", $"{ConnectsWithin.TotalSeconds}", "--drain", $"{LastRepliesWithin.TotalSeconds}", .. options]);
        try
        {
            await process.WaitForErrorAsync(l => l.StartsWith("connected", StringComparison.Ordinal), 2 * ConnectsWithin).WaitAsync(cancellationToken);
            return new GapClient(process, name);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops sending, waits for the replies that are due, and tells how it went.</summary>
    public async Task<ClientReport> StopAsync(CancellationToken cancellationToken)
    {
        _process.Terminate();
        var result = await _process.WaitAsync(2 * LastRepliesWithin).WaitAsync(cancellationToken);
        var report = result.Lines is [.., var last] ? JsonSerializer.Deserialize(last, ClientJson.Default.ClientReport) : null;
        return (report ?? throw new CommandFailedException(result)) with { Name = _name };
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
