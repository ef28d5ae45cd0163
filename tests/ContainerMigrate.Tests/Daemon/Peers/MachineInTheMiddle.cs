using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using ContainerMigrate.Daemon.Identity;
using ContainerMigrate.Daemon.Peers;

namespace ContainerMigrate.Tests.Daemon.Peers;

/// <summary>Somebody with a certificate of its own who answers on a free port: passes everything on to a real daemon, or gives the answers it was given.</summary>
internal sealed class MachineInTheMiddle : IAsyncDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly DaemonIdentity _identity;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<string> _answers = new();
    private readonly PeerAddress? _target;
    private readonly Task _accepting;
    private int _connections;

    public MachineInTheMiddle(PeerAddress target)
        : this(target, [])
    {
    }

    /// <param name="answers">Bodies, one a request, each with status 200.</param>
    public MachineInTheMiddle(params string[] answers)
        : this(null, answers)
    {
    }

    private MachineInTheMiddle(PeerAddress? target, string[] answers)
    {
        _target = target;
        foreach (var answer in answers)
        {
            _answers.Enqueue(answer);
        }

        _identity = DaemonIdentity.LoadOrCreate(_directory.Path, "mallory");
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public PeerAddress Address => new("127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port);

    public int Connections => _connections;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _accepting;
        _listener.Dispose();
        _stop.Dispose();
        _identity.Dispose();
        _directory.Dispose();
    }

    private async Task AcceptAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                serving.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(serving);
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var owned = client;
        Interlocked.Increment(ref _connections);
        try
        {
            await using var caller = new SslStream(client.GetStream());
            await caller.AuthenticateAsServerAsync(PeerTls.ForServer(_identity), _stop.Token);
            await (_target is null ? AnswerAsync(caller) : RelayAsync(caller, _target));
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException)
        {
            // The other side has gone, or the test is over.
        }
    }

    private async Task RelayAsync(SslStream caller, PeerAddress target)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(target.Host, target.Port, _stop.Token);
        await using var called = new SslStream(client.GetStream());
        await called.AuthenticateAsClientAsync(PeerTls.ForClient(_identity, _ => true), _stop.Token);
        await Task.WhenAny(caller.CopyToAsync(called, _stop.Token), called.CopyToAsync(caller, _stop.Token));
    }

    private async Task AnswerAsync(SslStream caller)
    {
        using var reader = new StreamReader(caller, Encoding.ASCII, leaveOpen: true);
        while (_answers.TryDequeue(out var answer))
        {
            // A request is over with the last chunk of its body, "0" and an empty line, or with as many bytes as it has promised.
            var length = 0;
            while (await reader.ReadLineAsync(_stop.Token) is { Length: > 0 } line)
            {
                if (line.StartsWith("Content-Length: ", StringComparison.OrdinalIgnoreCase))
                {
                    length = int.Parse(line["Content-Length: ".Length..]);
                }
                else if (line.StartsWith("Transfer-Encoding: chunked", StringComparison.OrdinalIgnoreCase))
                {
                    length = -1;
                }
            }

            if (length >= 0)
            {
                await reader.ReadBlockAsync(new char[length], _stop.Token);
            }
            else
            {
                while (await reader.ReadLineAsync(_stop.Token) is { Length: > 0 })
                {
                }
            }

            await caller.WriteAsync(
                Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {answer.Length}\r\n\r\n{answer}"), _stop.Token);
        }
    }
}
