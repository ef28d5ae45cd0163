using System.Text.Json.Nodes;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;

namespace ContainerMigrate.Linux.Runtimes.Runc;

/// <summary>
/// The rules for an OCI bundle that moves. They hold on the source, where a finding tells the operator, and again on the destination,
/// where the configuration comes from a peer: nothing in it may name a path, a device or a program of the host.
/// </summary>
internal static class RuncBundle
{
    private static readonly HashSet<string> TopLevel = ["ociVersion", "process", "root", "hostname", "domainname", "mounts", "linux", "annotations"];
    // runc reads names without regard to case, so that "Path" beside "path" would be another place to look at: only what is spelt
    // as the specification has it (opencontainers/runtime-spec config.md) is let through.
    private static readonly HashSet<string> RootKeys = ["path", "readonly"];
    private static readonly HashSet<string> MountKeys = ["destination", "type", "source", "options"];
    private static readonly HashSet<string> NamespaceKeys = ["type", "path"];
    private static readonly HashSet<string> SeccompKeys = ["defaultAction", "defaultErrnoRet", "architectures", "flags", "syscalls"];
    private static readonly HashSet<string> ProcessKeys =
    [
        "terminal", "consoleSize", "user", "args", "env", "cwd", "capabilities", "rlimits", "noNewPrivileges", "apparmorProfile", "oomScoreAdj", "selinuxLabel",
        "scheduler", "ioPriority", "execCPUAffinity",
    ];

    private static readonly HashSet<string> LinuxKeys =
        ["resources", "cgroupsPath", "namespaces", "maskedPaths", "readonlyPaths", "seccomp", "sysctl", "rootfsPropagation", "mountLabel", "timeOffsets"];

    // File systems that hold nothing of the host.
    private static readonly HashSet<string> MountTypes = ["proc", "tmpfs", "devpts", "mqueue", "sysfs", "cgroup", "cgroup2"];
    private static readonly HashSet<string> OwnNamespaces = ["pid", "mount", "network", "ipc"];

    /// <summary>Everything in the configuration that cannot be kept; empty when the bundle can move.</summary>
    /// <param name="mounts">Its mounts as both hosts have looked at them.</param>
    public static IReadOnlyList<CheckFinding> Check(JsonObject config, IReadOnlyList<MountDescription> mounts)
    {
        try
        {
            return [.. Find(config), .. RuncMounts.Check(config, mounts)];
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // A value of another type than it has to be, or a name that is there twice.
            return [Error(CheckNames.Settings, $"config.json is not an OCI runtime configuration: {e.Message}")];
        }
    }

    /// <summary>The configuration as the destination uses it: paths of its own, no annotation of an earlier restore.</summary>
    /// <param name="config">Without findings.</param>
    /// <param name="id">The container's id.</param>
    /// <param name="networkNamespace">Null: runc makes one.</param>
    public static JsonObject Adapt(JsonObject config, string id, string? networkNamespace)
    {
        var adapted = (JsonObject)config.DeepClone();
        if (string.IsNullOrEmpty(Text(adapted["linux"]?["cgroupsPath"])))
        {
            // Left out, runc takes one beside its caller's, and CRIU could not be told where the tasks belong.
            adapted["linux"]!["cgroupsPath"] = "/" + id;
        }

        ((JsonObject)adapted["root"]!)["path"] = "rootfs";
        (adapted["annotations"] as JsonObject)?.Remove(Oci.BundleConfig.CriuConfigAnnotation);
        foreach (var space in Namespaces(adapted).Where(n => Text(n["type"]) == "network"))
        {
            if (networkNamespace is null)
            {
                space.Remove("path");
            }
            else
            {
                space["path"] = networkNamespace;
            }
        }

        return adapted;
    }

    /// <summary>Name of the network namespace beneath <c>/run/netns</c> that the configuration joins; null when runc makes one.</summary>
    public static string? NetworkName(JsonObject config)
    {
        var path = Namespaces(config).Where(n => Text(n["type"]) == "network").Select(n => Text(n["path"])).FirstOrDefault();
        return path is null ? null : Path.GetFileName(path);
    }

    private static IEnumerable<CheckFinding> Find(JsonObject config)
    {
        foreach (var key in config.Select(p => p.Key).Where(k => !TopLevel.Contains(k)))
        {
            yield return Error(CheckNames.Settings, key == "hooks"
                ? "config.json has hooks: programs of this host cannot be taken along"
                : $"config.json has '{key}', which is not kept");
        }

        var linux = config["linux"] as JsonObject ?? [];
        foreach (var key in linux.Select(p => p.Key).Where(k => !LinuxKeys.Contains(k)))
        {
            yield return key == "devices" && (linux[key] as JsonArray)?.Count > 0
                ? Error(CheckNames.Devices, "the container has devices of this host")
                : Error(CheckNames.Settings, $"config.json has linux.{key}, which is not kept");
        }

        foreach (var (place, keys) in new[] { ("root", RootKeys), ("process", ProcessKeys) })
        {
            foreach (var finding in CheckKeys(config[place], place, keys))
            {
                yield return finding;
            }
        }

        foreach (var finding in CheckKeys(linux["seccomp"], "linux.seccomp", SeccompKeys))
        {
            yield return finding;
        }

        if (Text(config["root"]?["path"]) is null)
        {
            yield return Error(CheckNames.Settings, "config.json names no root file system");
        }

        if (linux["cgroupsPath"] is not null && !HasCgroup(config))
        {
            yield return Error(CheckNames.Settings, "linux.cgroupsPath in config.json is not a path");
        }

        if (config["process"]?["terminal"]?.GetValue<bool>() is true)
        {
            yield return Error(CheckNames.Terminal, "the container has a terminal whose other end is a program of this host");
        }

        foreach (var finding in CheckMounts(config).Concat(CheckNamespaces(config)))
        {
            yield return finding;
        }
    }

    private static IEnumerable<CheckFinding> CheckMounts(JsonObject config)
    {
        foreach (var mount in (config["mounts"] as JsonArray ?? []).OfType<JsonObject>())
        {
            foreach (var finding in CheckKeys(mount, "mounts", MountKeys))
            {
                yield return finding;
            }

            var type = Text(mount["type"]) ?? "none";
            if (!MountTypes.Contains(type) && !RuncMounts.IsBind(mount))
            {
                yield return Error(CheckNames.Mounts, $"{Text(mount["destination"])} is mounted from {Text(mount["source"])} of this host ({type}), which cannot be kept");
            }
        }
    }

    private static IEnumerable<CheckFinding> CheckNamespaces(JsonObject config)
    {
        foreach (var finding in Namespaces(config).SelectMany(n => CheckKeys(n, "linux.namespaces", NamespaceKeys)))
        {
            yield return finding;
        }

        var present = Namespaces(config).ToDictionary(n => Text(n["type"]) ?? "", n => Text(n["path"]));
        foreach (var missing in OwnNamespaces.Where(n => !present.ContainsKey(n)))
        {
            yield return Error(CheckNames.Namespaces, $"the container shares the host's {missing} namespace");
        }

        foreach (var (type, path) in present.Where(n => !string.IsNullOrEmpty(n.Value)))
        {
            if (type != "network")
            {
                yield return Error(CheckNames.Namespaces, $"the container joins the {type} namespace {path} of others");
            }
            else if (Path.GetDirectoryName(path) is not ("/run/netns" or "/var/run/netns") || !ManifestValidator.IsName(Path.GetFileName(path)))
            {
                yield return Error(CheckNames.Namespaces, $"the container's network namespace {path} has no name under /run/netns, so it cannot be made on the destination");
            }
        }

        if (present.ContainsKey("user"))
        {
            yield return Error(CheckNames.Namespaces, "the container has a user namespace");
        }
    }

    private static IEnumerable<CheckFinding> CheckKeys(JsonNode? node, string place, HashSet<string> known) =>
        (node as JsonObject ?? []).Select(p => p.Key).Where(k => !known.Contains(k)).Select(k => Error(CheckNames.Settings, $"config.json has '{k}' in {place}, which is not kept"));

    private static bool HasCgroup(JsonObject config)
    {
        try
        {
            return Oci.BundleConfig.CgroupPath(config).Length > 1;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    private static IEnumerable<JsonObject> Namespaces(JsonObject config) => (config["linux"]?["namespaces"] as JsonArray ?? []).OfType<JsonObject>();

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    private static CheckFinding Error(string check, string message) => new(check, CheckSeverity.Error, "", message);
}
