using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using static ContainerMigrate.Linux.Runtimes.Docker.SettingShapes;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>
/// Which keys of a container's <c>Config</c> and <c>HostConfig</c> move, and what their values may be
/// (moby api/types/container: config.go, hostconfig.go). A key that stands in neither list is refused when it is set.
/// </summary>
internal static partial class SettingRules
{
    private const int MaxSeccompLength = 1024 * 1024;

    private static readonly SettingShape Port = Matching(PortPattern());
    private static readonly SettingShape Bytes = Whole(0, long.MaxValue);
    private static readonly SettingShape DeviceRates = ListOf(ObjectOf(("Path", AbsolutePath), ("Rate", Bytes)));

    // What CRIU, systemd and other runtimes read from annotations would be the peer's say on this host.
    private static readonly string[] ForeignAnnotations = ["org.criu.", "org.systemd.", "run.oci.", "io.katacontainers.", "io.kubernetes."];

    public static IReadOnlyDictionary<string, SettingShape> Config { get; } = new Dictionary<string, SettingShape>
    {
        ["Hostname"] = Matching(HostNamePattern()),
        ["Domainname"] = Matching(HostNamePattern()),
        ["User"] = Text(256),
        ["AttachStdin"] = Flag,
        ["AttachStdout"] = Flag,
        ["AttachStderr"] = Flag,
        ["ExposedPorts"] = MapOf(Port, ObjectOf()),
        ["Tty"] = Flag,
        ["OpenStdin"] = Flag,
        ["StdinOnce"] = Flag,
        ["Env"] = Texts,
        ["Cmd"] = Texts,
        ["Entrypoint"] = Texts,
        ["Shell"] = Texts,
        ["OnBuild"] = Texts,
        ["ArgsEscaped"] = Flag,
        ["Healthcheck"] = ObjectOf(
            ("Test", Texts), ("Interval", Bytes), ("Timeout", Bytes), ("StartPeriod", Bytes), ("StartInterval", Bytes), ("Retries", Whole(0, int.MaxValue))),
        ["WorkingDir"] = AbsolutePath,
        ["Labels"] = TextMap,
        ["StopSignal"] = Matching(SignalPattern()),
        ["StopTimeout"] = Whole(-1, int.MaxValue),
    };

    /// <summary>Keys of <c>Config</c> that are carried in another form (image, networks, mounts).</summary>
    public static IReadOnlySet<string> ConfigElsewhere { get; } = new HashSet<string> { "Image", "MacAddress", "Volumes" };

    public static IReadOnlyDictionary<string, SettingShape> HostConfig { get; } = new Dictionary<string, SettingShape>
    {
        ["LogConfig"] = ObjectOf(("Type", Matching(NamePattern())), ("Config", TextMap)),
        ["PortBindings"] = MapOf(Port, ListOf(ObjectOf(("HostIp", AddressOrEmpty), ("HostPort", Matching(HostPortPattern()))))),
        ["PublishAllPorts"] = Flag,
        ["AutoRemove"] = Flag,
        ["ConsoleSize"] = ListOf(Whole(0, ushort.MaxValue), maxItems: 2),
        ["Annotations"] = MapOf(Annotation, AnyText),
        ["CapAdd"] = ListOf(Matching(CapabilityPattern())),
        ["CapDrop"] = ListOf(Matching(CapabilityPattern())),
        ["CgroupnsMode"] = OneOf("private"),
        ["CgroupParent"] = Matching(CgroupPattern()),
        ["Dns"] = ListOf(Address),
        ["DnsOptions"] = Texts,
        ["DnsSearch"] = Texts,
        ["ExtraHosts"] = Texts,
        ["GroupAdd"] = Texts,
        ["IpcMode"] = OneOf("private", "none"),
        ["OomScoreAdj"] = Whole(-1000, 1000),
        ["ReadonlyRootfs"] = Flag,
        ["SecurityOpt"] = ListOf(SecurityOption),
        ["StorageOpt"] = ObjectOf(("size", AnyText)),
        ["Tmpfs"] = MapOf(AbsolutePath, AnyText),
        ["UsernsMode"] = OneOf("host"),
        ["ShmSize"] = Bytes,
        ["Sysctls"] = MapOf(Matching(SysctlPattern()), AnyText),
        ["CpuShares"] = Bytes,
        ["NanoCpus"] = Bytes,
        ["CpuPeriod"] = Bytes,
        ["CpuQuota"] = Whole(-1, long.MaxValue),
        ["CpuRealtimePeriod"] = Bytes,
        ["CpuRealtimeRuntime"] = Bytes,
        ["CpusetCpus"] = Matching(CpuListPattern()),
        ["CpusetMems"] = Matching(CpuListPattern()),
        ["BlkioWeight"] = Whole(0, 1000),
        ["BlkioWeightDevice"] = ListOf(ObjectOf(("Path", AbsolutePath), ("Weight", Whole(0, 1000)))),
        ["BlkioDeviceReadBps"] = DeviceRates,
        ["BlkioDeviceWriteBps"] = DeviceRates,
        ["BlkioDeviceReadIOps"] = DeviceRates,
        ["BlkioDeviceWriteIOps"] = DeviceRates,
        ["Memory"] = Bytes,
        ["MemoryReservation"] = Bytes,
        ["MemorySwap"] = Whole(-1, long.MaxValue),
        ["MemorySwappiness"] = Whole(-1, 100),
        ["OomKillDisable"] = Flag,
        ["PidsLimit"] = Whole(-1, int.MaxValue),
        ["Ulimits"] = ListOf(ObjectOf(("Name", Matching(NamePattern())), ("Hard", Whole(-1, long.MaxValue)), ("Soft", Whole(-1, long.MaxValue)))),
        ["Mounts"] = ListOf(ObjectOf(
            ("Type", OneOf("tmpfs")), ("Target", AbsolutePath), ("ReadOnly", Flag), ("Consistency", AnyText),
            ("TmpfsOptions", ObjectOf(("SizeBytes", Bytes), ("Mode", Whole(0, 4095)), ("Options", ListOf(Texts)))))),
        ["MaskedPaths"] = ListOf(AbsolutePath),
        ["ReadonlyPaths"] = ListOf(AbsolutePath),
        ["Init"] = Flag,
    };

    /// <summary>
    /// Keys of <c>HostConfig</c> that are carried in another form (networks, mounts, restart policy), or that say nothing about how
    /// the container runs (where the command line wrote its id).
    /// </summary>
    public static IReadOnlySet<string> HostConfigElsewhere { get; } =
        new HashSet<string> { "NetworkMode", "RestartPolicy", "ContainerIDFile", "Binds", "VolumesFrom", "VolumeDriver", "Runtime", "Isolation" };

    /// <summary>Docker tells "not given" (its own list) from "empty" (nothing masked) here.</summary>
    public static bool MeansSomethingEmpty(string key) => key is "MaskedPaths" or "ReadonlyPaths" or "Init";

    private static string? AddressOrEmpty(JsonNode value) => value.Text() is "" ? null : Address(value);

    private static string? Annotation(JsonNode key) =>
        AnyText(key) ?? (ForeignAnnotations.FirstOrDefault(p => key.GetValue<string>().StartsWith(p, StringComparison.Ordinal)) is { } prefix
            ? $"'{Shown(key.GetValue<string>())}' begins with {prefix}, which programs of the host act upon"
            : null);

    private static string? SecurityOption(JsonNode value)
    {
        if (value.Text() is not { } text)
        {
            return "is not a text";
        }

        // Docker takes "key=value" and, from before 1.11, "key:value".
        var separator = text.IndexOfAny(['=', ':']);
        var (key, argument) = separator < 0 ? (text, "") : (text[..separator], text[(separator + 1)..]);
        var known = key switch
        {
            "no-new-privileges" => argument is "" or "true" or "false",
            "apparmor" => ProfilePattern().IsMatch(argument),
            "label" => argument == "disable",
            "seccomp" => argument is "unconfined" or "builtin" || IsSeccompProfile(argument),
            _ => false,
        };
        return known ? null : $"'{Shown(text)}' cannot be kept";
    }

    private static bool IsSeccompProfile(string text)
    {
        if (text.Length > MaxSeccompLength)
        {
            return false;
        }

        try
        {
            return JsonNode.Parse(text, documentOptions: DockerJson.Strict) is JsonObject;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    [GeneratedRegex(@"^[0-9]{1,5}(-[0-9]{1,5})?/(tcp|udp|sctp)\z")]
    private static partial Regex PortPattern();

    [GeneratedRegex(@"^([0-9]{1,5}(-[0-9]{1,5})?)?\z")]
    private static partial Regex HostPortPattern();

    [GeneratedRegex(@"^[A-Za-z0-9_.\-]{1,255}\z")]
    private static partial Regex HostNamePattern();

    [GeneratedRegex(@"^[A-Za-z0-9+\-]{1,16}\z")]
    private static partial Regex SignalPattern();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9_./:\-]{0,254}\z")]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"^[A-Za-z_]{2,40}\z")]
    private static partial Regex CapabilityPattern();

    [GeneratedRegex(@"^(?!.*\.\.)[A-Za-z0-9_./:@\-]{1,255}\z")]
    private static partial Regex CgroupPattern();

    [GeneratedRegex(@"^(net|kernel|fs\.mqueue)\.[A-Za-z0-9_./\-]{1,200}\z")]
    private static partial Regex SysctlPattern();

    [GeneratedRegex(@"^[0-9,\-]{1,1024}\z")]
    private static partial Regex CpuListPattern();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9_./ \-]{0,254}\z")]
    private static partial Regex ProfilePattern();
}
