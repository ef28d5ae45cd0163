using System.Text.Json.Nodes;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>One network of a container, and the container's place in it.</summary>
internal sealed record NetworkAttachment
{
    // libnetwork/netlabel/labels.go
    private const string LinkNameOption = "com.docker.network.endpoint.ifname";

    public required DockerNetwork Network { get; init; }

    /// <summary>The address in use; null for none.</summary>
    public string? IPv4 { get; init; }

    public string? IPv6 { get; init; }

    /// <summary>The address in use; null when Docker does not know it (ipvlan).</summary>
    public string? Mac { get; init; }

    public IReadOnlyList<string> LinkLocalAddresses { get; init; } = [];

    /// <summary>Names given by the operator; those that Docker makes itself (container name, short id) left out.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    public IReadOnlyDictionary<string, string> DriverOptions { get; init; } = new Dictionary<string, string>();

    public int GatewayPriority { get; init; }

    /// <summary>The link's name inside the container, <c>eth0</c>; null when it could not be told.</summary>
    public string? Interface { get; init; }

    public IEnumerable<string> Addresses => new[] { IPv4, IPv6 }.OfType<string>();

    /// <summary>
    /// The order in which Docker before 28 numbers the links of a container that starts with all of its networks (libnetwork/sandbox.go,
    /// Endpoint.Less): eth0, eth1, ... Networks connected while it ran were numbered as they came.
    /// </summary>
    public static IEnumerable<NetworkAttachment> InNumberingOrder(IEnumerable<NetworkAttachment> attachments) =>
        attachments
            .OrderBy(a => a.Network.Internal)
            .ThenByDescending(a => (a.IPv4 is null ? 0 : 1) + (a.IPv6 is null ? 0 : 2))
            .ThenBy(a => a.Network.Name, StringComparer.Ordinal);

    public JsonObject ToJson() => new()
    {
        ["network"] = Network.ToJson(),
        ["ipv4"] = IPv4,
        ["ipv6"] = IPv6,
        ["mac"] = Mac,
        ["linkLocal"] = DockerJson.Array(LinkLocalAddresses),
        ["aliases"] = DockerJson.Array(Aliases),
        ["driverOptions"] = new JsonObject(DriverOptions.Select(o => KeyValuePair.Create(o.Key, (JsonNode?)o.Value))),
        ["gatewayPriority"] = GatewayPriority,
        ["interface"] = Interface,
    };

    /// <exception cref="InvalidDataException">A value is not what it has to be.</exception>
    public static NetworkAttachment Parse(JsonNode? node)
    {
        const string Where = "network";
        return new NetworkAttachment
        {
            Network = DockerNetwork.Parse(node.At("network")),
            IPv4 = Checked(node, "ipv4", SettingShapes.Address),
            IPv6 = Checked(node, "ipv6", SettingShapes.Address),
            Mac = Checked(node, "mac", v => System.Net.NetworkInformation.PhysicalAddress.TryParse(v.Text(), out var mac)
                                            && mac.GetAddressBytes().Length == 6 && v.Text()!.Length == 17 ? null : "is not a MAC address"),
            LinkLocalAddresses = SettingShapes.CheckedTexts(node, "linkLocal", Where, SettingShapes.Address),
            Aliases = SettingShapes.CheckedTexts(node, "aliases", Where, SettingShapes.Text(255)),
            DriverOptions = SettingShapes.CheckedMap(node, "driverOptions", Where),
            GatewayPriority = (int)Math.Clamp(node.Number("gatewayPriority"), int.MinValue, int.MaxValue),
            Interface = Checked(node, "interface", v => v.Text() is { Length: > 0 and <= 15 } name && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.')
                ? null : "is not an interface name"),
        };

        static string? Checked(JsonNode? node, string key, SettingShape shape) =>
            node.At(key) is not { } value ? null
            : shape(value) is { } problem ? throw new InvalidDataException($"{Where}: {key} {problem}")
            : value.Text();
    }

    /// <summary>MAC addresses of endpoints came with Docker 25.</summary>
    public static Version EndpointMacApi { get; } = new(1, 44);

    /// <summary>Gateway priorities and names for links came with Docker 28.</summary>
    public static Version LinkNameApi { get; } = new(1, 48);

    /// <summary>An <c>EndpointSettings</c> of Docker's API that gives the container the same place again.</summary>
    /// <param name="api">The daemon's API version: an older one would ignore what it does not know.</param>
    /// <param name="named">Whether the link has to be given its name, because Docker numbers several links in no fixed order.</param>
    public JsonObject ToEndpoint(Version api, bool named)
    {
        var endpoint = new JsonObject();
        var ipam = new JsonObject();
        if (IPv4 is not null)
        {
            ipam["IPv4Address"] = IPv4;
        }

        if (IPv6 is not null)
        {
            ipam["IPv6Address"] = IPv6;
        }

        if (LinkLocalAddresses.Count > 0)
        {
            ipam["LinkLocalIPs"] = DockerJson.Array(LinkLocalAddresses);
        }

        if (ipam.Count > 0)
        {
            endpoint["IPAMConfig"] = ipam;
        }

        if (Aliases.Count > 0)
        {
            endpoint[nameof(Aliases)] = DockerJson.Array(Aliases);
        }

        var options = new JsonObject(DriverOptions.Where(o => o.Key != LinkNameOption || api >= LinkNameApi).Select(o => KeyValuePair.Create(o.Key, (JsonNode?)o.Value)));
        if (named && Interface is not null && api >= LinkNameApi)
        {
            options[LinkNameOption] = Interface;
        }

        if (options.Count > 0)
        {
            endpoint["DriverOpts"] = options;
        }

        if (Mac is not null && api >= EndpointMacApi)
        {
            endpoint["MacAddress"] = Mac;
        }

        if (GatewayPriority != 0 && api >= LinkNameApi)
        {
            endpoint["GwPriority"] = GatewayPriority;
        }

        return endpoint;
    }
}
