using System.Text.Json.Nodes;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>Turns the answer of <c>GET /containers/ID/json</c> into portable settings, and says what of it cannot move.</summary>
internal static class DockerSettingsReader
{
    /// <summary>The annotation that marks a container that a migration made, and says which; it does not move on with it.</summary>
    public const string MigrationAnnotation = "org.containermigrate.migration";

    private const int ShortIdLength = 12;

    /// <param name="inspect">Docker's answer for the container.</param>
    /// <param name="networks">Docker's answers for its networks, by name.</param>
    /// <param name="links">The links inside its network namespace, to tell which network is behind which; may be empty.</param>
    /// <param name="hasInit">Whether Docker's own init really runs as process 1; null when that cannot be told.</param>
    /// <param name="findings">Receives what keeps the container from moving.</param>
    public static DockerSettings Read(
        JsonNode inspect,
        IReadOnlyDictionary<string, DockerNetwork> networks,
        IReadOnlyList<NetworkLink> links,
        bool? hasInit,
        ICollection<CheckFinding> findings)
    {
        var unmovable = new List<string>();
        var config = Carry(inspect.Object("Config"), "Config", SettingRules.Config, SettingRules.ConfigElsewhere, findings, unmovable);
        var hostConfig = Carry(inspect.Object("HostConfig"), "HostConfig", SettingRules.HostConfig, SettingRules.HostConfigElsewhere, findings, unmovable);
        RemoveOwnMark(hostConfig);

        NormaliseCapabilities(hostConfig, "CapAdd");
        NormaliseCapabilities(hostConfig, "CapDrop");

        // Null means the daemon's own default, which the other daemon need not share.
        hostConfig["Init"] = hasInit ?? inspect.Object("HostConfig").Flag("Init");

        foreach (var problem in DockerMounts.FindProblems(inspect))
        {
            findings.Add(problem);
            unmovable.Add("mounts");
        }

        if (inspect.Text("Driver") is not "overlay2" and var driver)
        {
            Refuse(CheckNames.Storage, $"the container's storage driver is {driver}, only overlay2 can be moved", null, "storage driver");
        }

        return new DockerSettings
        {
            Config = config,
            HostConfig = hostConfig,
            Networks = ReadNetworks(inspect, networks, links, findings, unmovable),
            Unmovable = unmovable,
            StorageDriver = inspect.Text("Driver"),
        };

        void Refuse(string check, string message, string? hint, string key)
        {
            findings.Add(new CheckFinding(check, CheckSeverity.Error, "", message, hint));
            unmovable.Add(key);
        }
    }

    private static JsonObject Carry(
        JsonObject? section,
        string name,
        IReadOnlyDictionary<string, SettingShape> rules,
        IReadOnlySet<string> elsewhere,
        ICollection<CheckFinding> findings,
        List<string> unmovable)
    {
        var carried = new JsonObject();
        foreach (var (key, given) in section ?? [])
        {
            var value = name == "HostConfig" && key == "Mounts" && given is not null ? DockerMounts.WithoutFiles(given) : given;
            if (value is null || value.IsUnset() && !SettingRules.MeansSomethingEmpty(key))
            {
                continue;
            }

            CheckFinding? refusal = null;
            if (name == "HostConfig" && SettingRefusals.Find(key, value) is { } known)
            {
                refusal = known;
            }
            else if (rules.TryGetValue(key, out var shape))
            {
                refusal = shape(value) is { } problem
                    ? new CheckFinding(CheckNames.Settings, CheckSeverity.Error, "", $"{name}.{key} {problem}: it cannot be kept")
                    : null;
            }
            else if (elsewhere.Contains(key))
            {
                continue;
            }
            else
            {
                refusal = SettingRefusals.Unknown(name, key);
            }

            if (refusal is null)
            {
                carried[key] = value.DeepClone();
            }
            else
            {
                findings.Add(refusal);
                unmovable.Add($"{name}.{key}");
            }
        }

        return carried;
    }

    private static void RemoveOwnMark(JsonObject hostConfig)
    {
        if (hostConfig.Object("Annotations") is not { } annotations)
        {
            return;
        }

        annotations.Remove(MigrationAnnotation);
        if (annotations.Count == 0)
        {
            hostConfig.Remove("Annotations");
        }
    }

    // Docker 28 turns NET_ADMIN into CAP_NET_ADMIN, older ones keep what was typed.
    private static void NormaliseCapabilities(JsonObject hostConfig, string key)
    {
        const string Prefix = "CAP_";
        if (hostConfig.At(key) is JsonArray)
        {
            hostConfig[key] = DockerJson.Array(hostConfig.Texts(key)
                .Select(c => c.ToUpperInvariant())
                .Select(c => c == "ALL" || c.StartsWith(Prefix, StringComparison.Ordinal) ? c : Prefix + c)
                .Order(StringComparer.Ordinal));
        }
    }

    private static List<NetworkAttachment> ReadNetworks(
        JsonNode inspect,
        IReadOnlyDictionary<string, DockerNetwork> networks,
        IReadOnlyList<NetworkLink> links,
        ICollection<CheckFinding> findings,
        List<string> unmovable)
    {
        var mode = inspect.Object("HostConfig").Text("NetworkMode");
        if (mode == "none" || SettingRefusals.Find("NetworkMode", mode) is not null)
        {
            return [];
        }

        var shortId = inspect.Text("Id") is { Length: >= ShortIdLength } id ? id[..ShortIdLength] : "";
        var attachments = new List<NetworkAttachment>();
        foreach (var (name, endpoint) in inspect.Object("NetworkSettings").Properties("Networks"))
        {
            if (!networks.TryGetValue(name, out var network))
            {
                continue; // taken away meanwhile
            }

            if (endpoint.Items("Links").Any())
            {
                Refuse($"the container is linked to others in network {name}: links cannot be kept", "use network aliases");
            }

            if (network.Driver is not ("bridge" or "macvlan" or "ipvlan") || network.Scope is not ("local" or ""))
            {
                Refuse($"network {name} has driver {network.Driver} and scope {network.Scope}: only local bridge, macvlan and ipvlan networks can be rebuilt", null);
            }

            var mac = OrNull(endpoint.Text("MacAddress"));
            attachments.Add(new NetworkAttachment
            {
                Network = network,
                IPv4 = network.IsDefaultBridge ? null : Address(endpoint, "IPAddress", "IPv4Address"),
                IPv6 = network.IsDefaultBridge ? null : Address(endpoint, "GlobalIPv6Address", "IPv6Address"),
                Mac = mac,
                LinkLocalAddresses = [.. endpoint.Object("IPAMConfig").Texts("LinkLocalIPs")],
                Aliases = [.. endpoint.Texts("Aliases").Where(a => a != shortId)],
                DriverOptions = endpoint.Properties("DriverOpts").Where(p => p.Value.Text() is not null).ToDictionary(p => p.Key, p => p.Value.Text()!),
                GatewayPriority = (int)endpoint.Number("GwPriority"),
                Interface = FindLink(links, mac, endpoint)?.Name,
            });
        }

        // The network of `docker run --network` gives the container its first link; Docker attaches the others after it.
        return
        [
            .. attachments
                .OrderBy(a => IsNamed(inspect, mode, a.Network.Name) ? 0 : 1)
                .ThenBy(a => a.Interface?.Length ?? 0)
                .ThenBy(a => a.Interface, StringComparer.Ordinal)
                .ThenBy(a => a.Network.Name, StringComparer.Ordinal),
        ];

        void Refuse(string message, string? hint)
        {
            findings.Add(new CheckFinding(CheckNames.Network, CheckSeverity.Error, "", message, hint));
            unmovable.Add("networks");
        }
    }

    private static NetworkLink? FindLink(IReadOnlyList<NetworkLink> links, string? mac, JsonNode? endpoint) =>
        links.FirstOrDefault(l => mac is not null && string.Equals(l.MacAddress, mac, StringComparison.OrdinalIgnoreCase))
        ?? links.FirstOrDefault(l => endpoint.Text("IPAddress") is { Length: > 0 } address && l.Addresses.Any(a => a.StartsWith(address + "/", StringComparison.Ordinal)));

    // --network takes a name or an id.
    private static bool IsNamed(JsonNode inspect, string mode, string name) =>
        mode == name
        || mode == "default" && name == "bridge"
        || inspect.Object("NetworkSettings").Object("Networks").Object(name).Text("NetworkID") is { Length: > 0 } id && id.StartsWith(mode, StringComparison.Ordinal) && mode.Length >= ShortIdLength;

    private static string? Address(JsonNode? endpoint, string inUse, string asked) =>
        OrNull(endpoint.Text(inUse)) ?? OrNull(endpoint.Object("IPAMConfig").Text(asked));

    private static string? OrNull(string text) => text.Length == 0 ? null : text;
}
