using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Runtimes.Docker;

namespace ContainerMigrate.Tests.Runtimes.Docker;

/// <summary>What Docker 26.1.5 and 28.5.2 answered about the same containers, recorded in the lab.</summary>
internal static class RecordedAnswers
{
    public static JsonNode Load(int docker, string name)
    {
        using var stream = typeof(RecordedAnswers).Assembly.GetManifestResourceStream($"docker{docker}/{name}.json")
                           ?? throw new FileNotFoundException($"docker{docker}/{name}.json");
        return JsonNode.Parse(stream)!;
    }

    public static Dictionary<string, DockerNetwork> Networks(int docker) =>
        ((JsonArray)Load(docker, "networks")).Select(DockerNetwork.FromInspect).ToDictionary(n => n.Name);

    public static DockerSettings Read(JsonNode inspect, int docker, out List<ContainerMigrate.Checks.CheckFinding> findings, IReadOnlyList<NetworkLink>? links = null)
    {
        findings = [];
        return DockerSettingsReader.Read(inspect, Networks(docker), links ?? [], hasInit: null, findings);
    }

    public static DockerSettings Read(int docker, string name) => Read(Load(docker, name), docker, out _);
}
