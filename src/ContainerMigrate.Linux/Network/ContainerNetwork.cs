using System.Net;
using System.Net.Sockets;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;

namespace ContainerMigrate.Linux.Network;

/// <inheritdoc cref="IContainerNetwork"/>
/// <remarks>Routes of other tables, multipath routes and policy rules are not described.</remarks>
public sealed class ContainerNetwork(IProcessRunner processes, TimeProvider? timeProvider = null) : IContainerNetwork
{
    private const int Probes = 3; // RFC 5227, PROBE_NUM

    // A namespace gets these by itself as soon as the tunnel's module is loaded (net.core.fb_tunnels_only_for_init_net).
    private static readonly HashSet<string> FallbackTunnels =
        ["tunl0", "sit0", "gre0", "gretap0", "erspan0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0"];

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    private readonly TimeProvider _time = timeProvider ?? TimeProvider.System;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<NetworkLink>> DescribeAsync(string networkNamespacePath, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            var inside = await NetworkState.ReadAsync(networkNamespacePath);
            var outside = NetworkState.Read();
            return [.. inside.Links.Where(link => !link.IsLoopback && !FallbackTunnels.Contains(link.Name)).Select(link => Describe(link, inside, outside))];
        }
        catch (IOException exception)
        {
            throw Failure("the container's network cannot be read", exception.Message, exception);
        }
    }

    /// <inheritdoc/>
    public async Task BuildAsync(string networkNamespacePath, IReadOnlyList<NetworkLink> links, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(links);
        LinkCommands commands;
        try
        {
            if (NetworkNamespace.IsHosts(networkNamespacePath))
            {
                throw Failure("the container's network cannot be made", $"{networkNamespacePath} is this host's own network");
            }

            commands = LinkCommands.Create(links, networkNamespacePath, NetworkState.Read());
        }
        catch (IOException exception)
        {
            throw Failure("the container's network cannot be made", exception.Message, exception);
        }

        try
        {
            await RunAsync(commands.Outside, networkNamespacePath: null, cancellationToken);
            await RunAsync(commands.Inside, networkNamespacePath, cancellationToken);
        }
        catch
        {
            // Each undoes one link, which may not be there; a veth's other end goes with it.
            foreach (var line in commands.Undo)
            {
                _ = await ExecuteAsync(line, networkNamespacePath, CancellationToken.None);
            }

            throw;
        }
    }

    /// <inheritdoc/>
    public async Task<string?> ProbeAsync(string hostLink, IPAddress address, TimeSpan timeout, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(address);
        try
        {
            var link = NetworkState.Read().Links.FirstOrDefault(l => l.Name == hostLink)
                ?? throw Failure($"{address} cannot be looked for", $"this host has no link {hostLink}");
            if (link.Mac is not { } mac || !link.IsUp)
            {
                throw Failure($"{address} cannot be looked for", $"{hostLink} is down or has no Ethernet address");
            }

            var isIPv4 = address.AddressFamily == AddressFamily.InterNetwork;
            using var socket = new PacketSocket(link.Index, isIPv4 ? EthernetFrame.Arp : EthernetFrame.IPv6);
            using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var answer = FindClaimAsync(socket, address, end.Token);
            for (var probe = 0; probe < Probes && !answer.IsCompleted; probe++)
            {
                socket.Send(isIPv4 ? ArpFrame.Probe(mac, address) : NeighbourFrame.Probe(mac, address));
                await Task.WhenAny(answer, Task.Delay(timeout / Probes, _time, cancellationToken));
            }

            await end.CancelAsync();
            var claim = await answer;
            cancellationToken.ThrowIfCancellationRequested();
            return claim?.ToString();
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            throw Failure($"{address} cannot be looked for on {hostLink}", exception.Message, exception);
        }
    }

    private static async Task<MacAddress?> FindClaimAsync(PacketSocket socket, IPAddress address, CancellationToken cancellationToken)
    {
        var buffer = new byte[2048];
        try
        {
            while (true)
            {
                var count = await socket.ReceiveAsync(buffer, cancellationToken);
                var frame = buffer.AsSpan(0, count);
                if ((ArpFrame.FindClaim(frame, address) ?? NeighbourFrame.FindClaim(frame, address)) is { } mac)
                {
                    return mac;
                }
            }
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    private static NetworkLink Describe(LinkState link, NetworkState inside, NetworkState outside) => new()
    {
        Name = link.Name,
        MacAddress = (link.Mac ?? default).ToString(),
        Kind = link.Kind,
        Mtu = link.Mtu,
        HostLink = FindHostLink(link, outside),
        Mode = LinkModes.Name(link),
        Addresses = [.. inside.Addresses.Where(a => a.LinkIndex == link.Index).Select(a => $"{a.Address}/{a.PrefixLength}")],
        Routes = [.. inside.Routes.Where(r => r.LinkIndex == link.Index).Select(Describe)],
    };

    private static NetworkRoute Describe(RouteState route)
    {
        var family = route.Family == AddressFamily.InterNetwork ? 4 : 6;
        var destination = route.Destination is null ? family == 4 ? "default" : "::/0" : $"{route.Destination}/{route.PrefixLength}";
        return new NetworkRoute(destination, route.Gateway?.ToString(), family);
    }

    private static string? FindHostLink(LinkState link, NetworkState outside)
    {
        var other = outside.Links.FirstOrDefault(l => l.Index == link.LowerIndex);
        if (link.Kind != "veth")
        {
            return other?.Name;
        }

        // Indices of other namespaces may look the same: the peer has to point back.
        return other is { Kind: "veth" } && other.LowerIndex == link.Index
            ? outside.Links.FirstOrDefault(l => l.Index == other.MasterIndex)?.Name
            : null;
    }

    private async Task RunAsync(IReadOnlyList<string> lines, string? networkNamespacePath, CancellationToken cancellationToken)
    {
        var result = await ExecuteAsync(string.Join('\n', lines), networkNamespacePath, cancellationToken);
        if (!result.Succeeded)
        {
            // The first line says what is wrong, the last one only where.
            var reason = result.StandardError.Split('\n').FirstOrDefault(line => line.Length > 0) ?? result.FailureReason;
            throw Failure("the container's network cannot be made", $"ip: {reason}");
        }
    }

    private Task<ProcessResult> ExecuteAsync(string batch, string? networkNamespacePath, CancellationToken cancellationToken) =>
        processes.RunAsync(
            new ProcessCommand("ip", "-batch", "-") { StandardInput = batch + "\n", NetworkNamespacePath = networkNamespacePath, Timeout = Limit },
            cancellationToken);

    private static MigrationException Failure(string what, string why, Exception? exception = null) =>
        new("network", $"{what}: {why}", innerException: exception);
}
