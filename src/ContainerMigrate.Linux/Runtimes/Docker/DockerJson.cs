using System.Text.Json;
using System.Text.Json.Nodes;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>Reads JSON whose shape nobody vouches for: what is missing or of another type counts as absent.</summary>
internal static class DockerJson
{
    /// <summary>A repeated key would be read by Go's decoder and by ours in different ways.</summary>
    public static JsonDocumentOptions Strict { get; } = new() { MaxDepth = 32, AllowDuplicateProperties = false };

    public static JsonNode? At(this JsonNode? node, string key) => node is JsonObject o && o.TryGetPropertyValue(key, out var value) ? value : null;

    public static JsonObject? Object(this JsonNode? node, string key) => node.At(key) as JsonObject;

    public static string? Text(this JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    public static string Text(this JsonNode? node, string key) => node.At(key).Text() ?? "";

    public static bool Flag(this JsonNode? node, string key) => node.At(key) is JsonValue value && value.TryGetValue(out bool flag) && flag;

    public static long Number(this JsonNode? node, string key) => node.At(key).Number() ?? 0;

    public static long? Number(this JsonNode? node) => node is JsonValue value && value.TryGetValue(out long number) ? number : null;

    public static IEnumerable<JsonNode> Items(this JsonNode? node, string key) => (node.At(key) as JsonArray ?? []).OfType<JsonNode>();

    public static IEnumerable<string> Texts(this JsonNode? node, string key) => node.Items(key).Select(Text).OfType<string>();

    public static IEnumerable<KeyValuePair<string, JsonNode?>> Properties(this JsonNode? node, string key) => node.Object(key) ?? [];

    public static JsonArray Array(IEnumerable<string> items) => [.. items.Select(i => (JsonNode)i)];

    /// <summary>Docker writes "not set" as null, "", 0, false, [] or {}, one way here and another there.</summary>
    public static bool IsUnset(this JsonNode? node) => node switch
    {
        null => true,
        JsonArray array => array.All(IsUnset),
        JsonObject o => o.Count == 0,
        JsonValue value => value.GetValueKind() switch
        {
            JsonValueKind.String => value.GetValue<string>().Length == 0,
            JsonValueKind.False => true,
            JsonValueKind.Number => value.TryGetValue(out double number) && number == 0,
            _ => false,
        },
        _ => false,
    };

    /// <summary>Equal, where "not set" equals "not set" in whatever form, also inside objects.</summary>
    public static bool SameSetting(JsonNode? left, JsonNode? right)
    {
        if (left.IsUnset() && right.IsUnset())
        {
            return true;
        }

        return (left, right) switch
        {
            (JsonObject l, JsonObject r) => l.Select(p => p.Key).Union(r.Select(p => p.Key)).All(k => SameSetting(l.At(k), r.At(k))),
            (JsonArray l, JsonArray r) => l.Count == r.Count && l.Zip(r).All(p => SameSetting(p.First, p.Second)),
            _ => JsonNode.DeepEquals(left, right),
        };
    }
}
