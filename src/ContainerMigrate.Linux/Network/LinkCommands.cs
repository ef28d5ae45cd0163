using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using ContainerMigrate.Containers;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Network;

/// <summary>
/// Lines for <c>ip -batch</c> that make a container's links. The links come from a peer: each word is checked or made
/// from what was parsed, since a batch's words have quotes and comments.
/// </summary>
/// <param name="Outside">To run in the host's namespace.</param>
/// <param name="Inside">To run in the container's namespace afterwards.</param>
/// <param name="Undo">Each to run in the container's namespace, should one of the others fail.</param>
internal sealed record LinkCommands(IReadOnlyList<string> Outside, IReadOnlyList<string> Inside, IReadOnlyList<string> Undo)
{
    private const string DefaultMacvlanMode = "bridge";
    private const string DefaultIpvlanMode = "l2";

    /// <exception cref="MigrationException">A link cannot be made here; the cause says why.</exception>
    internal static LinkCommands Create(IReadOnlyList<NetworkLink> links, string networkNamespacePath, NetworkState host)
    {
        if (networkNamespacePath.Any(c => char.IsWhiteSpace(c) || c is '\'' or '"' or '\\' or '#'))
        {
            throw new ArgumentException($"'{networkNamespacePath}' cannot be a word of a batch", nameof(networkNamespacePath));
        }

        List<string> outside = [];
        List<string> undo = [];
        List<string> inside = ["link set dev lo up"];
        foreach (var link in links)
        {
            if (!IsWord(link.Name) || link.Name == "lo")
            {
                throw Refusal(link, "its name is not one that can be given");
            }

            // Before Linux 6.13 a link's name must be free in the host's namespace, too, so that eth0 could seldom be made: it is renamed where it is to be.
            var name = link.Kind == "veth" ? link.Name : $"ctm{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";
            outside.AddRange(Make(link, name, networkNamespacePath, host));
            if (name != link.Name)
            {
                inside.Add($"link set dev {name} name {link.Name}");
                undo.Add($"link del dev {name}");
            }

            undo.Add($"link del dev {link.Name}");
            inside.AddRange(Configure(link));
        }

        return new LinkCommands(outside, inside, undo);
    }

    private static IEnumerable<string> Make(NetworkLink link, string name, string networkNamespacePath, NetworkState host)
    {
        if (link.Kind is not ("veth" or "macvlan" or "ipvlan"))
        {
            throw Refusal(link, $"links of kind '{link.Kind}' are not made here, only veth, macvlan and ipvlan");
        }

        if (link.HostLink is not { } hostLink)
        {
            throw Refusal(link, link.Kind == "veth" ? "on the source it is no port of a bridge" : "its parent on the source is not known");
        }

        if (!IsWord(hostLink) || host.Links.FirstOrDefault(l => l.Name == hostLink) is not { } onHost)
        {
            throw Refusal(link, $"this host has no link '{hostLink}'");
        }

        if (link.Kind == "veth" && onHost.Kind != "bridge")
        {
            throw Refusal(link, $"'{hostLink}' is no bridge on this host");
        }

        var mac = MacAddress.Parse(link.MacAddress);
        if (link.Kind == "veth")
        {
            var port = $"ctm{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";
            return
            [
                $"link add name {port} mtu {link.Mtu} type veth peer name {name} netns {networkNamespacePath} address {mac} mtu {link.Mtu}",
                $"link set dev {port} master {hostLink} up",
            ];
        }

        var mode = link.Mode ?? (link.Kind == "macvlan" ? DefaultMacvlanMode : DefaultIpvlanMode);
        if (!LinkModes.IsKnown(link.Kind, mode))
        {
            throw Refusal(link, $"{link.Kind} has no mode '{mode}'");
        }

        // An ipvlan has its parent's MAC address, whatever that is here.
        var address = link.Kind == "macvlan" ? $" address {mac}" : "";
        return [$"link add link {hostLink} name {name} netns {networkNamespacePath}{address} mtu {link.Mtu} type {link.Kind} mode {mode}"];
    }

    private static IEnumerable<string> Configure(NetworkLink link)
    {
        // The link-local address comes from the source: one made by the kernel would go through duplicate detection first.
        yield return $"link set dev {link.Name} addrgenmode none";
        var networks = link.Addresses.Select(ParseNetwork).ToList();
        foreach (var network in networks)
        {
            var isIPv4 = network.Address.AddressFamily == AddressFamily.InterNetwork;
            yield return $"address add {network.Address}/{network.PrefixLength} {(isIPv4 ? "broadcast +" : "nodad")} dev {link.Name}";
        }

        yield return $"link set dev {link.Name} up";
        // On-link routes first: gateways may lie behind them.
        foreach (var route in link.Routes.OrderBy(route => route.Gateway is not null))
        {
            var gateway = route.Gateway is null ? null : IPAddress.Parse(route.Gateway);
            var isDefault = route.Destination == "default" || route.Destination == "::/0" || route.Destination == "0.0.0.0/0";
            var destination = isDefault ? route.Family == 4 ? "0.0.0.0/0" : "::/0" : ParseNetwork(route.Destination) is var parsed ? $"{parsed.Address}/{parsed.PrefixLength}" : "";
            // The source reached it without an address of its network, so the destination may.
            var onLink = gateway is not null && !networks.Exists(network => network.Covers(gateway)) ? " onlink" : "";
            yield return $"route replace {destination}{(gateway is null ? "" : $" via {gateway}")} dev {link.Name}{onLink}";
        }

        yield return $"link set dev {link.Name} addrgenmode eui64";
    }

    private static AddressState ParseNetwork(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        return slash > 0
            ? new AddressState(0, IPAddress.Parse(text.AsSpan(0, slash)), int.Parse(text.AsSpan(slash + 1), NumberStyles.None))
            : throw new FormatException($"'{text}' is not an address with prefix length");
    }

    private static bool IsWord(string text) =>
        text.Length is > 0 and <= 15 && char.IsAsciiLetterOrDigit(text[0]) && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or ':' or '@');

    private static MigrationException Refusal(NetworkLink link, string why) =>
        new("network", $"the container's link {link.Name} cannot be made: {why}");
}
