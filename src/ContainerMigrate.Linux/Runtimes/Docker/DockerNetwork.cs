using System.Net;
using System.Text.Json.Nodes;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>A Docker network as both hosts have to have it.</summary>
internal sealed record DockerNetwork
{
    /// <summary>The option by which Docker marks its own network <c>bridge</c>.</summary>
    private const string DefaultBridgeOption = "com.docker.network.bridge.default_bridge";

    public required string Name { get; init; }

    public required string Driver { get; init; }

    /// <summary><c>local</c>, or <c>swarm</c> and <c>global</c> for networks over several hosts.</summary>
    public string Scope { get; init; } = "local";

    public bool Internal { get; init; }

    public bool EnableIPv6 { get; init; }

    public IReadOnlyList<Subnet> Subnets { get; init; } = [];

    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>();

    /// <summary>Addresses are given by Docker itself there, and never by the operator.</summary>
    public bool IsDefaultBridge => Options.TryGetValue(DefaultBridgeOption, out var value) && value == "true" || Name == "bridge";

    /// <summary>One range of a network's address management.</summary>
    /// <param name="Range">Prefix, <c>10.77.0.0/24</c>.</param>
    /// <param name="Gateway">Null when the driver has none.</param>
    /// <param name="AllocationRange">The part of it that Docker gives addresses from, or null.</param>
    public sealed record Subnet(string Range, string? Gateway, string? AllocationRange)
    {
        /// <summary>
        /// True for a range of the pools that Docker takes subnets from when none is given: 172.17.0.0/16 to 172.31.0.0/16, and
        /// 192.168.0.0/16 in pieces of /20 (libnetwork/ipamutils).
        /// </summary>
        public bool IsFromDefaultPools =>
            IPNetwork.TryParse(Range, out var network) && network.BaseAddress.GetAddressBytes() is { Length: 4 } octets
            && ((network.PrefixLength == 16 && octets is [172, >= 17 and <= 31, ..]) || (network.PrefixLength == 20 && octets is [192, 168, ..]));

        public bool Contains(IPAddress address) => IPNetwork.TryParse(Range, out var network) && network.Contains(address);
    }

    /// <summary>Reads what <c>GET /networks/NAME</c> answers.</summary>
    public static DockerNetwork FromInspect(JsonNode? node) => new()
    {
        Name = node.Text("Name"),
        Driver = node.Text("Driver"),
        Scope = node.Text("Scope"),
        Internal = node.Flag("Internal"),
        EnableIPv6 = node.Flag("EnableIPv6"),
        Subnets =
        [
            .. node.Object("IPAM").Items("Config").Select(c => new Subnet(c.Text("Subnet"), OrNull(WithoutLength(c.Text("Gateway"))), OrNull(c.Text("IPRange")))),
        ],
        Options = node.Properties("Options").Where(p => p.Value.Text() is not null).ToDictionary(p => p.Key, p => p.Value.Text()!),
    };

    public JsonObject ToJson() => new()
    {
        ["name"] = Name,
        ["driver"] = Driver,
        ["scope"] = Scope,
        ["internal"] = Internal,
        ["ipv6"] = EnableIPv6,
        ["subnets"] = new JsonArray(
            [.. Subnets.Select(s => new JsonObject { ["range"] = s.Range, ["gateway"] = s.Gateway, ["allocation"] = s.AllocationRange })]),
        ["options"] = new JsonObject(Options.Select(o => KeyValuePair.Create(o.Key, (JsonNode?)o.Value))),
    };

    /// <exception cref="InvalidDataException">A value is not what it has to be.</exception>
    public static DockerNetwork Parse(JsonNode? node)
    {
        var name = node.Text("name");
        if (name.Length is 0 or > 255 || name.Any(c => char.IsControl(c) || c is '/'))
        {
            throw new InvalidDataException("network: name is missing or malformed");
        }

        var subnets = node.Items("subnets").Select(s => new Subnet(s.Text("range"), OrNull(s.Text("gateway")), OrNull(s.Text("allocation")))).ToList();
        foreach (var subnet in subnets)
        {
            if (!IPNetwork.TryParse(subnet.Range, out _) || subnet.Gateway is { } gateway && !IPAddress.TryParse(gateway, out _)
                || subnet.AllocationRange is { } range && !IPNetwork.TryParse(range, out _))
            {
                throw new InvalidDataException($"network {SettingShapes.Shown(name)}: a subnet or gateway is malformed");
            }
        }

        return new DockerNetwork
        {
            Name = name,
            Driver = node.Text("driver"),
            Scope = node.Text("scope"),
            Internal = node.Flag("internal"),
            EnableIPv6 = node.Flag("ipv6"),
            Subnets = subnets,
            Options = SettingShapes.CheckedMap(node, "options", "network"),
        };
    }

    /// <summary>The host's link behind a network: macvlan's and ipvlan's parent, or the bridge; null for other drivers and for networks without a parent.</summary>
    /// <param name="inspect">What <c>GET /networks/NAME</c> answers.</param>
    public static string? FindHostLink(JsonNode inspect)
    {
        var options = inspect.Object("Options");
        return inspect.Text("Driver") switch
        {
            "macvlan" or "ipvlan" => OrNull(options.Text("parent")),
            // The driver names the bridge after the network's id (libnetwork/drivers/bridge).
            "bridge" => OrNull(options.Text("com.docker.network.bridge.name")) ?? (inspect.Text("Id") is { Length: >= 12 } id ? "br-" + id[..12] : null),
            _ => null,
        };
    }

    /// <summary>The command that makes this network on another host.</summary>
    public string CreateCommand()
    {
        var words = new List<string> { "docker", "network", "create", "-d", Driver };
        if (Internal)
        {
            words.Add("--internal");
        }

        if (EnableIPv6)
        {
            words.Add("--ipv6");
        }

        foreach (var subnet in Subnets)
        {
            words.AddRange(["--subnet", subnet.Range]);
            if (subnet.Gateway is not null)
            {
                words.AddRange(["--gateway", subnet.Gateway]);
            }

            if (subnet.AllocationRange is not null)
            {
                words.AddRange(["--ip-range", subnet.AllocationRange]);
            }
        }

        foreach (var (key, value) in Options.OrderBy(o => o.Key, StringComparer.Ordinal))
        {
            words.AddRange(["-o", $"{key}={value}"]);
        }

        words.Add(Name);
        return string.Join(' ', words.Select(Quoted));
    }

    // The words come from a peer and end in an operator's shell.
    private static string Quoted(string word)
    {
        var safe = string.Concat(word.Where(c => !char.IsControl(c)));
        return safe.Length > 0 && safe.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/' or ':' or '=' or ',' or '@')
            ? safe
            : $"'{safe.Replace("'", "'\\''", StringComparison.Ordinal)}'";
    }

    // Docker up to 27 shows an IPv6 gateway it has chosen itself with its prefix length.
    private static string WithoutLength(string gateway) => gateway.Split('/')[0];

    private static string? OrNull(string text) => text.Length == 0 ? null : text;
}
