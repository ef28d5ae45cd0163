namespace ContainerMigrate.HostTests.Lab;

/// <summary>The tree of processes that holds one of everything (tests/lab/workloads/tree.py), and a client that asks it over one connection.</summary>
public sealed class ProcessTree : IAsyncDisposable
{
    private const string Ask = """
        import socket, sys, time
        for attempt in range(300):
            try:
                connection = socket.create_connection((sys.argv[1], 9000))
                break
            except OSError:
                time.sleep(0.05)
        file = connection.makefile("rw")
        for line in sys.stdin:
            file.write(line)
            file.flush()
            answers = iter(lambda: file.readline() or sys.exit("the connection is closed"), "end\n")
            print(line.strip(), "->", "|".join(answer.strip() for answer in answers), flush=True)
        """;

    private readonly LabProcess _client;

    private ProcessTree(LabContainer container, LabProcess client)
    {
        Container = container;
        _client = client;
    }

    public LabContainer Container { get; }

    /// <summary>Starts it; it is whole when it answers.</summary>
    /// <param name="processes">More processes that only wait.</param>
    public static async Task<ProcessTree> StartAsync(LabHost host, LabMember client, string runtime, int processes = 0)
    {
        ArgumentNullException.ThrowIfNull(client);
        var container = await LabContainer.StartAsync(host, runtime, "tree", "ctm-small:1", ["python3", "/app/tree.py"], $"PROCESSES={processes}");
        return new ProcessTree(container, client.Start("python3", "-c", Ask, LabContainer.IPv6));
    }

    /// <summary>Names of what it holds.</summary>
    public Task<IReadOnlyList<string>> ItemsAsync() => AskAsync("items");

    /// <summary>"NAME ok" or "NAME failed: WHY" for each item. Only once: looking at some uses them up.</summary>
    public Task<IReadOnlyList<string>> VerifyAsync() => AskAsync("verify");

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _client.DisposeAsync();

    private async Task<IReadOnlyList<string>> AskAsync(string question)
    {
        var prefix = question + " -> ";
        await _client.Input.WriteLineAsync(question);
        await _client.Input.FlushAsync();
        return (await _client.WaitForOutputAsync(l => l.StartsWith(prefix, StringComparison.Ordinal)))[prefix.Length..].Split('|');
    }
}
