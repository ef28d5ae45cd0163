using System.Text.Json.Nodes;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>
/// A Docker container's settings in the form in which they cross the wire: what <c>docker inspect</c> says, less what is only true of
/// the source host. <see cref="DockerSettingsReader"/> makes them, <see cref="DockerCreateRequest"/> turns them into a container again.
/// </summary>
internal sealed record DockerSettings
{
    private const int FormatVersion = 1;
    private const int MaxNetworks = 64;

    /// <summary>Carried keys of the API's <c>Config</c>, with Docker's own names and values.</summary>
    public required JsonObject Config { get; init; }

    /// <summary>Carried keys of the API's <c>HostConfig</c>.</summary>
    public required JsonObject HostConfig { get; init; }

    /// <summary>The network the container was created on comes first; empty for <c>--network none</c>.</summary>
    public required IReadOnlyList<NetworkAttachment> Networks { get; init; }

    /// <summary>Keys that are set and cannot be carried. A container that has any is not made, whatever checks are skipped.</summary>
    public IReadOnlyList<string> Unmovable { get; init; } = [];

    /// <summary>Docker's version on the source, for messages.</summary>
    public string DockerVersion { get; init; } = "";

    /// <summary>API version in use on the source.</summary>
    public Version Api { get; init; } = DockerClient.OldestApi;

    public string StorageDriver { get; init; } = "";

    /// <summary><c>cgroupfs</c> or <c>systemd</c>.</summary>
    public string CgroupDriver { get; init; } = "";

    public JsonObject ToJson() => new()
    {
        ["format"] = FormatVersion,
        ["config"] = Config.DeepClone(),
        ["hostConfig"] = HostConfig.DeepClone(),
        ["networks"] = new JsonArray([.. Networks.Select(n => n.ToJson())]),
        ["unmovable"] = DockerJson.Array(Unmovable),
        ["docker"] = DockerVersion,
        ["api"] = Api.ToString(),
        ["storageDriver"] = StorageDriver,
        ["cgroupDriver"] = CgroupDriver,
    };

    /// <summary>Reads settings that came from a peer: every key has to be known and every value of its shape.</summary>
    /// <exception cref="InvalidDataException">They are not; the message names the key.</exception>
    public static DockerSettings Parse(JsonObject settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        JsonNode? node;
        try
        {
            // Parsed again with repeated keys refused: Go would take the last, others the first.
            node = JsonNode.Parse(settings.ToJsonString(), documentOptions: DockerJson.Strict);
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or ArgumentException or InvalidOperationException)
        {
            throw new InvalidDataException($"settings: {e.Message}", e);
        }

        if (node.Number("format") != FormatVersion)
        {
            throw new InvalidDataException($"settings are of format {node.Number("format")}, this host knows {FormatVersion}: install the same version of ContainerMigrate");
        }

        var networks = node.Items("networks").Select(NetworkAttachment.Parse).ToList();
        if (networks.Count > MaxNetworks || networks.Select(n => n.Network.Name).Distinct().Count() != networks.Count)
        {
            throw new InvalidDataException("settings: networks are too many or named twice");
        }

        return new DockerSettings
        {
            Config = Checked(node.Object("config"), "Config", SettingRules.Config),
            HostConfig = Checked(node.Object("hostConfig"), "HostConfig", SettingRules.HostConfig),
            Networks = networks,
            Unmovable = SettingShapes.CheckedTexts(node, "unmovable", "settings", SettingShapes.Text(255)),
            DockerVersion = SettingShapes.Shown(node.Text("docker")),
            Api = Version.TryParse(node.Text("api"), out var api) ? api : DockerClient.OldestApi,
            StorageDriver = SettingShapes.Shown(node.Text("storageDriver")),
            CgroupDriver = SettingShapes.Shown(node.Text("cgroupDriver")),
        };
    }

    /// <summary>Keys whose value a container does not have, though these settings give it.</summary>
    public IEnumerable<string> DifferencesFrom(DockerSettings actual) =>
        Differences("Config", Config, actual.Config).Concat(Differences("HostConfig", HostConfig, actual.HostConfig));

    private static IEnumerable<string> Differences(string section, JsonObject wanted, JsonObject actual) =>
        wanted.Where(p => !DockerJson.SameSetting(p.Value, actual.At(p.Key))).Select(p => $"{section}.{p.Key}");

    private static JsonObject Checked(JsonObject? section, string name, IReadOnlyDictionary<string, SettingShape> rules)
    {
        if (section is null)
        {
            throw new InvalidDataException($"settings: {name} is missing");
        }

        foreach (var (key, value) in section)
        {
            if (!rules.TryGetValue(key, out var shape))
            {
                throw new InvalidDataException($"settings: {name}.{SettingShapes.Shown(key)} is not a setting that may be moved");
            }

            if (value is not null && shape(value) is { } problem)
            {
                throw new InvalidDataException($"settings: {name}.{key} {problem}");
            }
        }

        return (JsonObject)section.DeepClone();
    }
}
