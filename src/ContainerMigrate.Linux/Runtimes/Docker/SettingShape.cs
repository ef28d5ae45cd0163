using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>Says what is wrong with a value, or null.</summary>
internal delegate string? SettingShape(JsonNode value);

/// <summary>The shapes that settings may have; they are the only ones that the destination lets pass.</summary>
internal static class SettingShapes
{
    private const int MaxItems = 4096;
    private const int MaxTextLength = 128 * 1024; // one argument or variable: MAX_ARG_STRLEN of the kernel

    public static SettingShape Flag { get; } = value =>
        value.GetValueKind() is JsonValueKind.True or JsonValueKind.False ? null : "is not true or false";

    public static SettingShape AnyText { get; } = Text(MaxTextLength);

    public static SettingShape Texts { get; } = ListOf(AnyText);

    public static SettingShape TextMap { get; } = MapOf(AnyText, AnyText);

    public static SettingShape AbsolutePath { get; } = value =>
        AnyText(value) ?? (IsAbsolutePath(value.GetValue<string>()) ? null : "is not an absolute path without '..'");

    public static SettingShape Address { get; } = value =>
        AnyText(value) ?? (IsAddress(value.GetValue<string>()) ? null : "is not an IP address");

    public static SettingShape Text(int maxLength) => value =>
        value.Text() is not { } text ? "is not a text"
        : text.Length > maxLength ? $"is longer than {maxLength}"
        : text.Contains('\0', StringComparison.Ordinal) ? "holds a zero byte"
        : null;

    public static SettingShape Matching(Regex pattern) => value =>
        AnyText(value) ?? (pattern.IsMatch(value.GetValue<string>()) ? null : $"'{Shown(value.GetValue<string>())}' is not what is allowed there");

    public static SettingShape OneOf(params string[] allowed) => value =>
        value.Text() is { } text && allowed.Contains(text) ? null : $"is none of {string.Join(", ", allowed)}";

    public static SettingShape Whole(long min, long max) => value =>
        value.Number() is not { } number ? "is not a whole number"
        : number < min || number > max ? $"is outside {min} to {max}"
        : null;

    public static SettingShape ListOf(SettingShape item, int maxItems = MaxItems) => value =>
    {
        if (value is not JsonArray array)
        {
            return "is not a list";
        }

        return array.Count > maxItems ? $"has more than {maxItems} items"
            : array.Select(i => i is null ? "holds a null" : item(i)).FirstOrDefault(p => p is not null);
    };

    public static SettingShape MapOf(SettingShape key, SettingShape item) => value =>
    {
        if (value is not JsonObject map)
        {
            return "is not an object";
        }

        return map.Count > MaxItems ? $"has more than {MaxItems} entries"
            : map.Select(p => key(p.Key) is { } wrongKey ? $"key {wrongKey}" : p.Value is null ? null : item(p.Value)).FirstOrDefault(p => p is not null);
    };

    /// <summary>An object that has these keys and no others.</summary>
    public static SettingShape ObjectOf(params (string Key, SettingShape Shape)[] fields) => value =>
    {
        if (value is not JsonObject map)
        {
            return "is not an object";
        }

        foreach (var (key, item) in map)
        {
            var field = fields.FirstOrDefault(f => f.Key == key);
            if (field.Shape is null)
            {
                if (item.IsUnset())
                {
                    continue;
                }

                return $"has an unknown field '{Shown(key)}'";
            }

            if (item is not null && field.Shape(item) is { } problem)
            {
                return $"field {key} {problem}";
            }
        }

        return null;
    };

    /// <exception cref="InvalidDataException">The list holds something else.</exception>
    public static IReadOnlyList<string> CheckedTexts(JsonNode? node, string key, string where, SettingShape item)
    {
        if (node.At(key) is not { } value)
        {
            return [];
        }

        return ListOf(item)(value) is { } problem
            ? throw new InvalidDataException($"{where}: {key} {problem}")
            : [.. node.Texts(key)];
    }

    /// <exception cref="InvalidDataException">The map holds something else.</exception>
    public static IReadOnlyDictionary<string, string> CheckedMap(JsonNode? node, string key, string where)
    {
        if (node.At(key) is not { } value)
        {
            return new Dictionary<string, string>();
        }

        return MapOf(Text(255), AnyText)(value) is { } problem
            ? throw new InvalidDataException($"{where}: {key} {problem}")
            : node.Properties(key).ToDictionary(p => p.Key, p => p.Value.Text() ?? "");
    }

    // .NET also takes "10.77.0" and "1" for IPv4 addresses.
    private static bool IsAddress(string text) =>
        System.Net.IPAddress.TryParse(text, out var address)
        && (address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 || address.ToString() == text);

    public static bool IsAbsolutePath(string text) =>
        text is ['/', ..] && text.Length <= 4096 && !text.Contains('\0', StringComparison.Ordinal) && !text.Split('/').Contains("..");

    /// <summary>Text of unknown origin, fit for a message: short and on one line.</summary>
    public static string Shown(string text)
    {
        var line = string.Concat(text.Take(80).Select(c => char.IsControl(c) ? '?' : c));
        return line.Length < text.Length ? line + "..." : line;
    }
}
