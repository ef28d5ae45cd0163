using System.Text.Json;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>A client that sends a numbered datagram every 20 ms to a server that sends each back.</summary>
public sealed class Datagrams : IAsyncDisposable
{
    /// <summary>Program for a container, in Python: the number server of /app, and beside it one that sends datagrams back.</summary>
    public const string Server = """
        import socket, threading
        def echo(family, address):
            server = socket.socket(family, socket.SOCK_DGRAM)
            if family == socket.AF_INET6:
                server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # All of a pause of 10 s waits there until the program runs.
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            server.bind((address, 9001))
            while True:
                data, sender = server.recvfrom(2048)
                server.sendto(data, sender)
        for family, address in (socket.AF_INET, ""), (socket.AF_INET6, "::"):
            threading.Thread(target=echo, args=(family, address), daemon=True).start()
        exec(open("/app/srv.py").read())
        """;

    private const string Client = """
        import json, signal, socket, sys, time
        client = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
        client.connect((sys.argv[1], 9001))
        stop, back, sent, refused, end = [], [], 0, 0, None
        signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
        due = time.monotonic()
        while end is None or time.monotonic() < end:
            try:
                if not stop and time.monotonic() >= due:
                    sent += 1
                    due += 0.02
                    client.send(b"%d" % sent)
                client.settimeout(max(0.0005, min(0.1, due - time.monotonic())))
                back.append(int(client.recv(64)))
                if len(back) == 20:
                    print("answered", file=sys.stderr, flush=True)
            except TimeoutError:
                pass
            except ConnectionRefusedError:
                refused += 1
            if stop and end is None:
                end = time.monotonic() + 1
                due = end
        print(json.dumps({"sent": sent, "lost": sent - len(set(back)), "doubled": len(back) - len(set(back)), "refused": refused}))
        """;

    private readonly LabProcess _process;
    private readonly string _address;

    private Datagrams(LabProcess process, string address)
    {
        _process = process;
        _address = address;
    }

    /// <summary>Returns when some have come back.</summary>
    public static async Task<Datagrams> SendAsync(LabMember member, string address)
    {
        ArgumentNullException.ThrowIfNull(member);
        var process = member.Start("python3", "-c", Client, address);
        await process.WaitForErrorAsync(l => l.StartsWith("answered", StringComparison.Ordinal));
        return new Datagrams(process, address);
    }

    /// <summary>Stops; none was refused or came back twice, and none of the pause is missing, but for a few around its edges.</summary>
    public async Task ShouldBeAnsweredAsync()
    {
        // What the container had not read at the freeze, and what comes while the segment learns the new port; the pause alone has 15 and more.
        const int MayBeLost = 10;
        _process.Terminate();
        var text = (await _process.WaitAsync(TimeSpan.FromSeconds(10))).Lines[^1];
        Measured.Write($"datagrams to {_address}: {text}");
        var report = JsonDocument.Parse(text).RootElement;
        report.GetProperty("refused").GetInt32().ShouldBe(0);
        report.GetProperty("doubled").GetInt32().ShouldBe(0);
        report.GetProperty("lost").GetInt32().ShouldBeLessThanOrEqualTo(MayBeLost, text);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
