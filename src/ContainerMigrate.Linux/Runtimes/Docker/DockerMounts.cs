using System.Text.Json.Nodes;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>A container's mounts in Docker's API: those that Docker lists in <c>Mounts</c> are what counts, however they were asked for (moby api/types/mount).</summary>
internal static class DockerMounts
{
    private const int AnonymousNameLength = 64;

    /// <summary>Of <c>HostConfig.Mounts</c>, what does not change where the files are.</summary>
    private static readonly Dictionary<string, SettingShape> Known = new()
    {
        ["Type"] = SettingShapes.OneOf("bind", "volume"),
        ["Source"] = SettingShapes.AnyText,
        ["Target"] = SettingShapes.AbsolutePath,
        ["ReadOnly"] = SettingShapes.Flag,
        ["Consistency"] = SettingShapes.AnyText,
        ["BindOptions"] = SettingShapes.ObjectOf(("Propagation", SettingShapes.OneOf("", "rprivate")), ("CreateMountpoint", SettingShapes.Flag)),
        ["VolumeOptions"] = SettingShapes.ObjectOf(("NoCopy", SettingShapes.Flag), ("Labels", SettingShapes.TextMap), ("DriverConfig", SettingShapes.ObjectOf(("Name", SettingShapes.OneOf("", "local"))))),
    };

    /// <summary>All mounts that Docker lists; its own (<c>/etc/hosts</c>, ...) are not among them.</summary>
    public static IReadOnlyList<MountDescription> Describe(JsonNode? inspect) =>
    [
        .. inspect.Items("Mounts").Select(m => new MountDescription(m.Text("Type"), m.Text("Type") == "volume" ? m.Text("Name") : m.Text("Source"), m.Text("Destination"), !m.Flag("RW"))
        {
            IsAnonymous = m.Text("Type") == "volume" && IsAnonymous(m.Text("Name")),
            Driver = m.Text("Driver"),
        }),
        // Of --tmpfs, which Docker does not list among the mounts.
        .. inspect.Object("HostConfig").Properties("Tmpfs").Select(t => new MountDescription("tmpfs", "", t.Key, ReadOnly: false)),
    ];

    /// <summary>Host directories behind them, by their paths in the container.</summary>
    public static IReadOnlyDictionary<string, string> Directories(JsonNode? inspect) =>
        inspect.Items("Mounts").Where(m => m.Text("Type") is "bind" or "volume" && m.Text("Source").Length > 0).ToDictionary(m => m.Text("Destination"), m => m.Text("Source"));

    /// <summary>Those entries of <c>HostConfig.Mounts</c> that are settings and no files: tmpfs.</summary>
    public static JsonArray WithoutFiles(JsonNode mounts) =>
        [.. (mounts as JsonArray ?? []).Where(m => m.Text("Type") is not ("bind" or "volume")).Select(m => m?.DeepClone())];

    /// <summary>What of the mounts would get lost.</summary>
    public static IEnumerable<CheckFinding> FindProblems(JsonNode inspect)
    {
        foreach (var mount in inspect.Items("Mounts"))
        {
            if (mount.Text("Type") == "bind" && mount.Text("Propagation") is not ("" or "rprivate"))
            {
                yield return Error($"{mount.Text("Destination")} is mounted with propagation {mount.Text("Propagation")}: mounts of this host would not appear there any more");
            }
        }

        foreach (var mount in inspect.Object("HostConfig").Items("Mounts").Where(m => m.Text("Type") is "bind" or "volume"))
        {
            foreach (var (key, value) in (JsonObject)mount)
            {
                if (!value.IsUnset() && (!Known.TryGetValue(key, out var shape) || shape(value!) is not null))
                {
                    yield return Error($"{mount.Text("Target")} is mounted with {SettingShapes.Shown(key)} in a way that cannot be kept");
                }
            }
        }
    }

    /// <summary>For <c>HostConfig.Mounts</c> of a container that is made; what is in its volumes comes from elsewhere, not from the image.</summary>
    public static IEnumerable<JsonObject> ToRequest(IEnumerable<MountDescription> mounts) => mounts.Where(m => m.HasFiles).Select(mount =>
    {
        var request = new JsonObject { ["Type"] = mount.Kind, ["Target"] = mount.Target, ["ReadOnly"] = mount.ReadOnly };
        if (mount.Kind == "volume")
        {
            request["VolumeOptions"] = new JsonObject { ["NoCopy"] = true };
        }

        if (!mount.IsAnonymous)
        {
            request["Source"] = mount.Source;
        }

        return request;
    });

    /// <summary>Mounts that a container does not have as they were asked for.</summary>
    public static IEnumerable<string> Differences(IEnumerable<MountDescription> wanted, JsonNode? inspect)
    {
        var made = Describe(inspect);
        return wanted.Where(w => w.HasFiles && !made.Any(m => m.Target == w.Target && m.Kind == w.Kind && m.ReadOnly == w.ReadOnly && (w.IsAnonymous || m.Source == w.Source))).Select(m => $"mount {m.Target}");
    }

    public static bool IsAnonymous(string volume) => volume.Length == AnonymousNameLength && volume.All(char.IsAsciiHexDigitLower);

    private static CheckFinding Error(string message) => new(CheckNames.Mounts, CheckSeverity.Error, "", message);
}
