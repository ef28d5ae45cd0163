using System.Text.Json.Nodes;

namespace ContainerMigrate.Linux.Runtimes.Oci;

/// <summary>Edits an OCI runtime configuration (<c>config.json</c>) for a restore, as JSON, leaving everything else as it was.</summary>
public static class BundleConfig
{
    /// <summary>The annotation by which runc finds the CRIU configuration file of a container.</summary>
    public const string CriuConfigAnnotation = "org.criu.config";

    /// <summary>
    /// Adds the annotation, puts the fence in front of all other prestart hooks (Docker up to 27 attaches the network in one),
    /// replaces bind sources that are symbolic links by what they point to (CRIU binds the link itself), and bind targets by what
    /// they are in the root file system (runc tells CRIU the resolved path in a dump, and the one of this file in a restore).
    /// </summary>
    /// <param name="resolveLink">What a path of this host leads to.</param>
    /// <param name="resolveInRoot">What a path inside the container leads to.</param>
    /// <param name="fenceHookWaits">The fence hook is to wait until the daemon has attached the network.</param>
    /// <exception cref="InvalidDataException">The configuration is not an OCI runtime configuration.</exception>
    public static void PrepareForRestore(
        JsonObject config, string criuConfigPath, string fenceHookPath, Func<string, string> resolveLink, Func<string, string> resolveInRoot, bool fenceHookWaits = false)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(resolveLink);
        ArgumentNullException.ThrowIfNull(resolveInRoot);
        Child(config, "annotations")[CriuConfigAnnotation] = criuConfigPath;

        var hooks = Child(config, "hooks");
        var prestart = hooks["prestart"] as JsonArray;
        if (prestart is null)
        {
            hooks["prestart"] = prestart = [];
        }

        prestart.Insert(0, new JsonObject
        {
            ["path"] = fenceHookPath,
            ["args"] = fenceHookWaits ? new JsonArray(Path.GetFileName(fenceHookPath), "wait") : new JsonArray(Path.GetFileName(fenceHookPath)),
            ["env"] = new JsonArray("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        });

        foreach (var mount in (config["mounts"] as JsonArray ?? []).OfType<JsonObject>())
        {
            if (mount["source"]?.GetValue<string>() is ['/', ..] source && resolveLink(source) is var resolved && resolved != source)
            {
                mount["source"] = resolved;
            }

            if (mount["type"]?.GetValue<string>() == "bind" && mount["destination"]?.GetValue<string>() is ['/', ..] destination)
            {
                mount["destination"] = resolveInRoot(destination);
            }
        }
    }

    /// <summary>
    /// The container's cgroup below the cgroup2 root, with a leading slash. runc's systemd form <c>slice:prefix:name</c> becomes
    /// <c>/slice/prefix-name.scope</c> (opencontainers/runc libcontainer/cgroups/systemd).
    /// </summary>
    /// <exception cref="InvalidDataException">There is none that CRIU could be told: it becomes a line of its configuration.</exception>
    public static string CgroupPath(JsonObject config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var path = config["linux"]?["cgroupsPath"]?.GetValue<string>();
        if (string.IsNullOrEmpty(path))
        {
            throw new InvalidDataException("config.json has no linux.cgroupsPath");
        }

        if (!path.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '.' or '_' or '-' or ':' or '@') || path.Split('/', ':').Any(s => s is "." or "..") || path.Trim('/').Length == 0)
        {
            throw new InvalidDataException("linux.cgroupsPath is not the path of a cgroup");
        }

        var parts = path.Split(':');
        if (parts.Length != 3)
        {
            return path.StartsWith('/') ? path : "/" + path;
        }

        var slice = parts[0].Length == 0 ? "system.slice" : parts[0];
        return $"/{ExpandSlice(slice)}/{parts[1]}-{parts[2]}.scope";
    }

    // a-b.slice lives in a.slice/a-b.slice (systemd.slice(5)).
    private static string ExpandSlice(string slice)
    {
        const string Suffix = ".slice";
        if (!slice.EndsWith(Suffix, StringComparison.Ordinal) || slice == "-.slice")
        {
            return slice;
        }

        var names = slice[..^Suffix.Length].Split('-');
        return string.Join('/', names.Select((_, i) => string.Join('-', names.Take(i + 1)) + Suffix));
    }

    private static JsonObject Child(JsonObject parent, string name)
    {
        if (parent[name] is JsonObject child)
        {
            return child;
        }

        child = [];
        parent[name] = child;
        return child;
    }
}
