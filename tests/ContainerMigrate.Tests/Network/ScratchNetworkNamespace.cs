using System.Net;
using System.Net.Sockets;
using ContainerMigrate.Linux.Network;
using ContainerMigrate.Linux.Processes;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Network;

/// <summary>A network namespace of its own for one test, loopback up; needs root, else the test is skipped with the reason.</summary>
internal sealed class ScratchNetworkNamespace : IAsyncDisposable
{
    private static readonly ProcessRunner Runner = new();
    private static int _count;

    private ScratchNetworkNamespace(string name) => Name = name;

    internal string Name { get; }

    internal string Path => $"/run/netns/{Name}";

    internal static async Task<ScratchNetworkNamespace> CreateAsync()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to make a network namespace");
        var name = $"ctmtest-{Environment.ProcessId}-{Interlocked.Increment(ref _count)}";
        var result = await Runner.RunAsync(new ProcessCommand("ip", "netns", "add", name), CancellationToken.None);
        Assert.SkipUnless(result.Succeeded, $"needs a network namespace: {result.FailureReason}");
        var made = new ScratchNetworkNamespace(name);
        await made.RunAsync("ip link set lo up");
        return made;
    }

    /// <summary>Runs a command inside; fails the test when it fails.</summary>
    internal async Task<string> RunAsync(string commandLine)
    {
        var result = await TryAsync(commandLine);
        result.Succeeded.ShouldBeTrue($"{commandLine}: {result.FailureReason}");
        return result.StandardOutput;
    }

    internal Task<ProcessResult> TryAsync(string commandLine)
    {
        var words = commandLine.Split(' ');
        return Runner.RunAsync(new ProcessCommand(words[0], words[1..]) { NetworkNamespacePath = Path, Timeout = TimeSpan.FromSeconds(10) }, CancellationToken.None);
    }

    /// <summary>True when a datagram to itself arrives.</summary>
    internal Task<bool> CarriesPacketsAsync() => NetworkNamespace.RunAsync(Path, () =>
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        try
        {
            socket.SendTo([1], socket.LocalEndPoint!);
        }
        catch (SocketException)
        {
            return false; // EPERM: dropped on the way out
        }

        return socket.Poll(TimeSpan.FromMilliseconds(200), SelectMode.SelectRead);
    });

    /// <summary>True when somebody answers there, be it with a refusal.</summary>
    internal Task<bool> CanConnectAsync(string address) => NetworkNamespace.RunAsync(Path, () =>
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
        try
        {
            socket.Connect(IPAddress.Parse(address), 9);
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
        }

        return socket.Poll(TimeSpan.FromMilliseconds(500), SelectMode.SelectWrite);
    });

    public async ValueTask DisposeAsync() =>
        await Runner.RunAsync(new ProcessCommand("ip", "netns", "del", Name), CancellationToken.None);
}
