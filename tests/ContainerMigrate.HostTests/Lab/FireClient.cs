namespace ContainerMigrate.HostTests.Lab;

/// <summary>Asks a <see cref="FireProgram"/> in a container on the LAN whether it finds its files as it left them, over one connection that stays.</summary>
public sealed class FireClient : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly LabProcess _client;
    private int _asked;

    private FireClient(LabProcess client) => _client = client;

    /// <summary>Returns when the program listens.</summary>
    public static async Task<FireClient> ConnectAsync(LabMember from, int port = 9100)
    {
        ArgumentNullException.ThrowIfNull(from);
        var client = from.Start("python3", "-u", "-c", $$"""
            import socket, sys, time
            while True:
                try:
                    server = socket.create_connection(("{{LabContainer.IPv4}}", {{port}}))
                    break
                except OSError:
                    time.sleep(0.1)
            answers = server.makefile("r")
            print("connected", flush=True)
            for line in sys.stdin:
                server.sendall(line.encode())
                print(answers.readline(), end="", flush=True)
            """);
        await client.WaitForOutputAsync(l => l.StartsWith("connected", StringComparison.Ordinal), Patience);
        return new FireClient(client);
    }

    public async Task ShouldFindAllRightAsync()
    {
        await _client.Input.WriteLineAsync("look");
        var number = $"{++_asked} ";
        (await _client.WaitForOutputAsync(l => l.StartsWith(number, StringComparison.Ordinal), Patience)).TrimEnd().ShouldBe($"{number}right");
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _client.DisposeAsync();
}
