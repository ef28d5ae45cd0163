using System.Text.Json.Nodes;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>What has to be sent to dockerd to make a container from <see cref="DockerSettings"/>.</summary>
/// <param name="Body">Body of <c>POST /containers/create</c>.</param>
/// <param name="Connections">Networks beyond the first, in order: name, and the endpoint for <c>POST /networks/NAME/connect</c>.</param>
internal sealed record DockerCreateRequest(JsonObject Body, IReadOnlyList<(string Network, JsonObject Endpoint)> Connections)
{
    /// <summary>Annotations of containers came with 1.43; an older daemon would drop them without a word.</summary>
    private static readonly Version AnnotationsApi = new(1, 43);

    /// <param name="image">Reference or id under which this host has the image.</param>
    /// <param name="migrationId">Noted in an annotation, so that an unfinished container can be told from an operator's.</param>
    /// <param name="api">The API version of this host's daemon.</param>
    public static DockerCreateRequest Build(DockerSettings settings, string image, string migrationId, Version api)
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

        body["HostConfig"] = hostConfig;
        var several = settings.Networks.Count > 1;
        if (settings.Networks.Count > 0)
        {
            var first = settings.Networks[0];
            body["NetworkingConfig"] = new JsonObject
            {
                ["EndpointsConfig"] = new JsonObject { [first.Network.Name] = first.ToEndpoint(api, several) },
            };
            if (api < NetworkAttachment.EndpointMacApi && first.Mac is not null)
            {
                body["MacAddress"] = first.Mac;
            }
        }

        return new DockerCreateRequest(body, [.. settings.Networks.Skip(1).Select(n => (n.Network.Name, n.ToEndpoint(api, several)))]);
    }
}
