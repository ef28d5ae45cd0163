using System.Text.Json.Nodes;
using ContainerMigrate.Containers;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>What has to be sent to dockerd to make a container from <see cref="DockerSettings"/>.</summary>
/// <param name="Body">Body of <c>POST /containers/create</c>.</param>
/// <param name="Connections">Networks that the body cannot hold, in order: name, and the endpoint for <c>POST /networks/NAME/connect</c>.</param>
internal sealed record DockerCreateRequest(JsonObject Body, IReadOnlyList<(string Network, JsonObject Endpoint)> Connections)
{
    /// <summary>Annotations of containers came with 1.43; an older daemon would drop them without a word.</summary>
    private static readonly Version AnnotationsApi = new(1, 43);

    /// <param name="mounts">Of all mounts; tmpfs is among the settings.</param>
    /// <param name="image">Reference or id under which this host has the image.</param>
    /// <param name="migrationId">Noted in an annotation, so that an unfinished container can be told from an operator's.</param>
    /// <param name="api">The API version of this host's daemon.</param>
    public static DockerCreateRequest Build(DockerSettings settings, IReadOnlyList<MountDescription> mounts, string image, string migrationId, Version api)
    {
        var body = (JsonObject)settings.Config.DeepClone();
        body["Image"] = image;
        if (body.At("Entrypoint").IsUnset())
        {
            // Docker takes a missing entry point from the image; [""] is how its own command line says "none".
            body["Entrypoint"] = new JsonArray("");
        }

        var hostConfig = (JsonObject)settings.HostConfig.DeepClone();
        hostConfig["NetworkMode"] = settings.Networks.Count == 0 ? "none" : settings.Networks[0].Network.Name;
        // A cold start must never happen; the real policy comes when the container runs.
        hostConfig["RestartPolicy"] = new JsonObject { ["Name"] = "no" };
        hostConfig["Runtime"] = "runc";
        if (api >= AnnotationsApi)
        {
            var annotations = hostConfig.Object("Annotations")?.DeepClone() ?? new JsonObject();
            annotations[DockerSettingsReader.MigrationAnnotation] = migrationId;
            hostConfig["Annotations"] = annotations;
        }

        JsonObject[] withFiles = [.. DockerMounts.ToRequest(mounts)];
        if (withFiles.Length > 0)
        {
            hostConfig["Mounts"] = new JsonArray([.. hostConfig.Items("Mounts").Select(m => m.DeepClone()), .. withFiles]);
        }

        body["HostConfig"] = hostConfig;
        var networks = settings.Networks;
        if (networks.Count == 0)
        {
            return new DockerCreateRequest(body, []);
        }

        // Before 1.44 a container is created on one network, which takes its MAC address from Config. Afterwards all are given at once:
        // a MAC address given to /networks/NAME/connect is forgotten at the start (seen on 28.5.2).
        var atOnce = api >= NetworkAttachment.EndpointMacApi ? networks : networks.Take(1);
        body["NetworkingConfig"] = new JsonObject
        {
            ["EndpointsConfig"] = new JsonObject(atOnce.Select(n => KeyValuePair.Create(n.Network.Name, (JsonNode?)n.ToEndpoint(api, networks.Count > 1)))),
        };
        if (api < NetworkAttachment.EndpointMacApi && networks[0].Mac is { } mac)
        {
            body["MacAddress"] = mac;
        }

        var later = networks.Skip(atOnce.Count()).Select(n => (n.Network.Name, n.ToEndpoint(api, named: true)));
        return new DockerCreateRequest(body, [.. later]);
    }
}
