using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using ContainerMigrate.Daemon.Configuration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.Systemd;

/// <summary>The program itself, as systemd would run it.</summary>
public sealed class DaemonProcessTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task TellsSystemdHowItIsFromStartToStop()
    {
        using var systemd = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        systemd.Bind(new UnixDomainSocketEndPoint(_directory.File("notify")));
        using var daemon = Start([], ("NOTIFY_SOCKET", _directory.File("notify")), ("WATCHDOG_USEC", "200000"));

        (await ReceiveAsync(systemd)).ShouldBe("READY=1");
        File.Exists(_directory.File("api.sock")).ShouldBeTrue();
        (await ReceiveAsync(systemd)).ShouldBe("WATCHDOG=1");
        (await ReceiveAsync(systemd)).ShouldBe("WATCHDOG=1");

        using (var local = LocalHttp.Connect(_directory.File("api.sock")))
        {
            (await local.GetAsync("/v1/hosts", TestContext.Current.CancellationToken)).StatusCode.ShouldBe(HttpStatusCode.OK);
            (await local.GetAsync("/v1/migrations", TestContext.Current.CancellationToken)).StatusCode.ShouldBe(HttpStatusCode.OK);
            (await local.DeleteAsync("/v1/hosts/h9", TestContext.Current.CancellationToken)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }

        Process.Start("kill", ["-TERM", $"{daemon.Id}"]).WaitForExit(Limit).ShouldBeTrue();
        string received;
        do
        {
            received = await ReceiveAsync(systemd);
        }
        while (received == "WATCHDOG=1");

        received.ShouldBe("STOPPING=1");
        (await EndAsync(daemon)).ExitCode.ShouldBe(0);
        File.Exists(_directory.File("api.sock")).ShouldBeFalse();
        File.ReadAllText(_directory.File("log")).ShouldContain($"ctmigrated {DaemonVersion.Current} is host h1");
    }

    [Fact]
    public async Task WrongConfigurationEndsTheStartWithOneLineForTheJournal()
    {
        var configuration = _directory.Write("bad.json", """{ "peer_port": 99999 }""");
        using var daemon = Run(["--config", configuration], ("JOURNAL_STREAM", "8:1"));

        var (exitCode, error) = await EndAsync(daemon);

        exitCode.ShouldBe(2);
        error.ShouldBe($"<3>ctmigrated: {configuration}: \"peer_port\": 99999 is not allowed; it must be a port number from 1 to 65535\n");
    }

    [Theory]
    [InlineData("peer.Go:before=kill", "--allow-faults")]
    [InlineData("peer.Gone:before=kill", "source.record.Committed", "--allow-faults")]
    public async Task FaultsEndTheStartUnlessTheyAreAllowedAndKnown(string faults, string said, params string[] arguments)
    {
        using var daemon = Start(arguments, ("CTMIGRATED_FAULTS", faults));

        var (exitCode, error) = await EndAsync(daemon);

        exitCode.ShouldBe(2);
        error.ShouldContain("CTMIGRATED_FAULTS");
        error.ShouldContain(said);
    }

    [Fact]
    public async Task AnArmedDaemonStarts()
    {
        using var systemd = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        systemd.Bind(new UnixDomainSocketEndPoint(_directory.File("notify")));
        using var daemon = Start(["--allow-faults"], ("NOTIFY_SOCKET", _directory.File("notify")), ("CTMIGRATED_FAULTS", "peer.Go:before=kill"));

        (await ReceiveAsync(systemd)).ShouldBe("READY=1");

        daemon.Kill();
        await EndAsync(daemon);
    }

    [Fact]
    public async Task SecondDaemonOnTheSameStateIsRefused()
    {
        using var systemd = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        systemd.Bind(new UnixDomainSocketEndPoint(_directory.File("notify")));
        using var first = Start([], ("NOTIFY_SOCKET", _directory.File("notify")));
        await ReceiveAsync(systemd);

        using var second = Start([]);

        var (exitCode, error) = await EndAsync(second);
        exitCode.ShouldBe(2);
        error.ShouldContain("another ctmigrated is running");
        first.Kill();
        await EndAsync(first);
    }

    [Fact]
    public async Task PortThatIsTakenIsNamed()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        using var daemon = Start([], port);

        var (exitCode, error) = await EndAsync(daemon);

        exitCode.ShouldBe(2);
        error.ShouldContain($"127.0.0.1:{port}");
        error.ShouldContain("peer_port");
        File.Exists(_directory.File("api.sock")).ShouldBeFalse();
    }

    [Theory]
    [InlineData("--version", 0)]
    [InlineData("--help", 0)]
    [InlineData("--frobnicate", 2)]
    public async Task ArgumentsThatStartNothingEndAtOnce(string argument, int exitCode)
    {
        using var daemon = Run([argument]);

        (await EndAsync(daemon)).ExitCode.ShouldBe(exitCode);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static Process Run(string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "ctmigrated"), arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var name in new[] { "NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM" })
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    private static async Task<(int ExitCode, string Error)> EndAsync(Process daemon)
    {
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            var output = daemon.StandardOutput.ReadToEndAsync(limit.Token);
            var error = await daemon.StandardError.ReadToEndAsync(limit.Token);
            await output;
            await daemon.WaitForExitAsync(limit.Token);
            return (daemon.ExitCode, error);
        }
        finally
        {
            daemon.Kill();
        }
    }

    private static async Task<string> ReceiveAsync(Socket socket)
    {
        using var limit = new CancellationTokenSource(Limit);
        var buffer = new byte[256];
        return Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer, limit.Token));
    }

    private Process Start(string[] arguments, params (string Name, string Value)[] environment) => Start(arguments, FreePort(), environment);

    private Process Start(string[] arguments, int port, params (string Name, string Value)[] environment)
    {
        var configuration = _directory.Write("ctmigrated.json", $$"""
            { "host_name": "h1", "peer_listen": ["127.0.0.1"], "peer_port": {{port}}, "socket": "{{_directory.File("api.sock")}}", "log_file": "{{_directory.File("log")}}" }
            """);
        return Run(["--config", configuration, "--state-dir", _directory.File("state"), .. arguments], environment);
    }
}
