namespace ContainerMigrate.Linux.Network;

/// <summary>Names of macvlan's and ipvlan's modes as ip-link(8) has them (numbers from linux/if_link.h).</summary>
internal static class LinkModes
{
    private static readonly Dictionary<uint, string> Macvlan = new() { [1] = "private", [2] = "vepa", [4] = "bridge", [8] = "passthru", [16] = "source" };
    private static readonly Dictionary<uint, string> Ipvlan = new() { [0] = "l2", [1] = "l3", [2] = "l3s" };

    internal static string? Name(LinkState link) =>
        link.Mode is { } mode ? (link.Kind == "ipvlan" ? Ipvlan : Macvlan).GetValueOrDefault(mode) : null;

    internal static bool IsKnown(string kind, string mode) =>
        (kind == "ipvlan" ? Ipvlan : Macvlan).ContainsValue(mode);
}
