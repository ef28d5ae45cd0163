using System.Text.Json;
using System.Text.Json.Nodes;

namespace ContainerMigrate.Linux.Runtimes.Oci;

/// <summary>The standard streams that runc has noted of a container in <c>ROOT/ID/state.json</c> (libcontainer/container.go, State).</summary>
internal static class RecordedStreams
{
    /// <summary>What <c>runc checkpoint</c> will write to <c>descriptors.json</c>; empty when it cannot be read.</summary>
    public static IReadOnlyList<string> Read(string root, string id)
    {
        try
        {
            var state = JsonNode.Parse(File.ReadAllBytes(Path.Combine(root, id, "state.json")));
            return [.. (state?["external_descriptors"] as JsonArray ?? []).Select(d => d!.GetValue<string>())];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException or NullReferenceException)
        {
            return [];
        }
    }
}
