using System.Net;
using System.Net.Sockets;

namespace ContainerMigrate.Linux.Network;

/// <summary>A unicast route of the main table that somebody set (the kernel's own come with the addresses).</summary>
/// <param name="Destination">Null: the default route.</param>
internal sealed record RouteState(int LinkIndex, AddressFamily Family, IPAddress? Destination, int PrefixLength, IPAddress? Gateway);
