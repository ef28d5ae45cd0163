using System.Net;
using System.Net.Sockets;

namespace ContainerMigrate.Linux.Network;

/// <summary>What one link of a container has to send so that its segment finds it behind its new port.</summary>
/// <param name="Frames">One burst.</param>
/// <param name="Descriptions">One line an address, for people.</param>
internal sealed record AddressAnnouncement(LinkState Link, IReadOnlyList<byte[]> Frames, IReadOnlyList<string> Descriptions)
{
    /// <summary>Announcements of all links that are up and have neighbours.</summary>
    internal static IReadOnlyList<AddressAnnouncement> Plan(NetworkState state) =>
        [.. state.Links.Where(link => link is { IsLoopback: false, IsUp: true, ResolvesNeighbours: true, Mac: not null }).Select(link => Plan(state, link))];

    private static AddressAnnouncement Plan(NetworkState state, LinkState link)
    {
        var mac = link.Mac!.Value;
        // The switches first: everything after it already comes from the right port.
        List<byte[]> frames = [ArpFrame.ReverseQuestion(mac)];
        List<string> descriptions = [];
        var addresses = state.Addresses.Where(a => a.LinkIndex == link.Index).ToList();
        foreach (var address in addresses)
        {
            var isIPv4 = address.Address.AddressFamily == AddressFamily.InterNetwork;
            frames.AddRange(isIPv4
                ? [ArpFrame.Announcement(mac, address.Address), ArpFrame.UnsolicitedReply(mac, address.Address)]
                : [NeighbourFrame.UnsolicitedAdvertisement(mac, address.Address)]);
            // Linux ignores announcements of addresses it has no entry for; a question makes the gateway learn its asker.
            var gateways = FindGateways(state, link, addresses, address);
            frames.AddRange(gateways.Select(gateway => isIPv4
                ? ArpFrame.Question(mac, address.Address, gateway)
                : NeighbourFrame.Question(mac, address.Address, gateway)));
            descriptions.Add($"{link.Name}: {address.Address} is at {mac}{string.Concat(gateways.Select(gateway => $", gateway {gateway} asked"))}");
        }

        return new AddressAnnouncement(link, frames, descriptions);
    }

    private static List<IPAddress> FindGateways(NetworkState state, LinkState link, List<AddressState> addresses, AddressState asker) =>
    [
        .. state.Routes
            .Where(route => route.LinkIndex == link.Index && route.Family == asker.Address.AddressFamily)
            .Select(route => route.Gateway)
            .OfType<IPAddress>()
            .Distinct()
            // An IPv4 gateway may answer only askers of its own network; where there are none, it has to take any.
            .Where(gateway => asker.Address.AddressFamily == AddressFamily.InterNetworkV6 || asker.Covers(gateway) || !addresses.Exists(other => other.Covers(gateway))),
    ];
}
