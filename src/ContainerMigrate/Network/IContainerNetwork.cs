using System.Net;
using ContainerMigrate.Containers;

namespace ContainerMigrate.Network;

/// <summary>Reads and rebuilds the links of a container's network namespace.</summary>
public interface IContainerNetwork
{
    /// <summary>All links but loopback, with addresses, routes and what they hang on in this host's namespace.</summary>
    Task<IReadOnlyList<NetworkLink>> DescribeAsync(string networkNamespacePath, CancellationToken cancellationToken);

    /// <summary>
    /// Makes <paramref name="links"/> inside the namespace (macvlan on the parent, veth on the bridge of the same name), with the same names,
    /// MAC and IP addresses (no duplicate address detection) and routes, up. For runtimes that leave this to their caller (runc).
    /// </summary>
    Task BuildAsync(string networkNamespacePath, IReadOnlyList<NetworkLink> links, CancellationToken cancellationToken);

    /// <summary>Asks on the segment behind a host's link who has an address (ARP for IPv4, neighbour solicitation for IPv6).</summary>
    /// <returns>The answering MAC address, or null when nobody answered in time.</returns>
    Task<string?> ProbeAsync(string hostLink, IPAddress address, TimeSpan timeout, CancellationToken cancellationToken);
}
