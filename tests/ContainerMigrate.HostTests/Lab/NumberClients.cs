namespace ContainerMigrate.HostTests.Lab;

/// <summary>Clients of the number server of every kind: those that wait for each answer and those that do not, over IPv4 and IPv6.</summary>
public sealed class NumberClients : IAsyncDisposable
{
    private readonly IReadOnlyList<NumberClient> _clients;

    private NumberClients(IReadOnlyList<NumberClient> clients) => _clients = clients;

    /// <summary>Connects, and returns when every connection stands.</summary>
    public static Task<NumberClients> ConnectAsync(LabMember member) => ConnectAsync(member, [NumberServer.IPv4, NumberServer.IPv6]);

    /// <inheritdoc cref="ConnectAsync(LabMember)"/>
    /// <param name="addresses">Of the server.</param>
    public static async Task<NumberClients> ConnectAsync(LabMember member, IReadOnlyList<string> addresses) => new(await Task.WhenAll(
        from address in addresses
        from mode in (string[])["steady", "wait"]
        select NumberClient.ConnectAsync(member, address, mode)));

    /// <summary>What clients have told of connections that ended under them; empty as it should be.</summary>
    public string Complaints => string.Join(' ', _clients.Select(c => c.Complaints).Where(c => c.Length > 0));

    /// <summary>Stops them: no connection was lost, and no reply.</summary>
    public async Task ShouldBeCompleteAsync()
    {
        foreach (var report in await Task.WhenAll(_clients.Select(c => c.StopAsync())))
        {
            report.ShouldBeComplete();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            await client.DisposeAsync();
        }
    }
}
