using System.Text.Json.Nodes;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;

namespace ContainerMigrate.Linux.Runtimes.Runc;

/// <summary>Bind mounts in a bundle's configuration (opencontainers/runtime-spec config.md, mounts).</summary>
internal static class RuncMounts
{
    // What says how the container sees the files, and nothing else. Others would let mounts of the host appear there, or map owners.
    private static readonly HashSet<string> Options =
    [
        "bind", "rbind", "ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "relatime", "norelatime", "noatime", "atime", "nodiratime", "diratime", "private", "rprivate",
    ];

    /// <summary>Those that show files of the host.</summary>
    public static IReadOnlyList<MountDescription> Describe(JsonObject config) =>
    [
        .. All(config).Where(IsBind).Select(m => new MountDescription("bind", Text(m["source"]) ?? "", Text(m["destination"]) ?? "", ReadOptions(m).LastOrDefault(o => o is "ro" or "rw") == "ro")),
    ];

    public static bool IsBind(JsonObject mount) => Text(mount["type"]) is "bind" || ReadOptions(mount).Any(o => o is "bind" or "rbind");

    /// <summary>What keeps the binds from being kept.</summary>
    /// <param name="known">Those that both hosts have looked at; a configuration must not bring others.</param>
    public static IEnumerable<CheckFinding> Check(JsonObject config, IReadOnlyList<MountDescription> known)
    {
        foreach (var mount in All(config).Where(IsBind))
        {
            if (Text(mount["type"]) is not (null or "bind" or "none") || ReadOptions(mount).Exists(o => !Options.Contains(o)))
            {
                yield return new CheckFinding(CheckNames.Mounts, CheckSeverity.Error, "", $"{Text(mount["destination"])} is mounted in a way that cannot be kept: {Text(mount["type"])} {string.Join(',', ReadOptions(mount))}");
            }
        }

        foreach (var mount in Describe(config))
        {
            if (!mount.Source.StartsWith('/') || !mount.Target.StartsWith('/'))
            {
                yield return new CheckFinding(CheckNames.Mounts, CheckSeverity.Error, "", $"{mount.Target} is mounted from '{mount.Source}', which is no absolute path");
            }
            else if (!known.Any(k => (k.Kind, k.Source, k.Target, k.ReadOnly) == (mount.Kind, mount.Source, mount.Target, mount.ReadOnly)))
            {
                yield return new CheckFinding(CheckNames.Mounts, CheckSeverity.Error, "", $"{mount.Target} is mounted from {mount.Source}, and nothing was said of that mount");
            }
        }
    }

    private static IEnumerable<JsonObject> All(JsonObject config) => (config["mounts"] as JsonArray ?? []).OfType<JsonObject>();

    private static List<string> ReadOptions(JsonObject mount) => [.. (mount["options"] as JsonArray ?? []).Select(o => Text(o) ?? "?")];

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;
}
