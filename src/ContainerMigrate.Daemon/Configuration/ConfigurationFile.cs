using System.Net;
using System.Text.Json;
using ContainerMigrate.Daemon.Peers;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Daemon.Configuration;

/// <summary>
/// Reads <c>ctmigrated.json</c>: one JSON object (comments and trailing commas allowed), every key optional. A key that is
/// unknown, given twice or has a wrong value stops the start: a setting that is silently ignored is found out too late.
/// </summary>
internal static class ConfigurationFile
{
    private const long MaxBytes = 1 << 20;

    // For tests/lab/vm alone: containers that were moved so have died (ARCHITECTURE.md).
    private const string UnprovenSoftDirty = "soft-dirty-unproven";

    private static readonly (TimeSpan Min, TimeSpan Max) UpToADay = (TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));

    private static readonly Dictionary<string, Setting> Settings = new(StringComparer.Ordinal)
    {
        ["host_name"] = Text($"a name of {HostNames.Allowed}", HostNames.IsValid, (o, v) => o with { HostName = v }),
        ["peer_listen"] = new("a list of IP addresses, [] for all", SetPeerListen),
        ["peer_port"] = new("a port number from 1 to 65535", SetPeerPort),
        ["peer_advertise"] = new(
            $"{PeerAddress.Allowed}, or \"\" for the address seen by the peer",
            (o, v) => v.ValueKind != JsonValueKind.String ? null
                : v.GetString()!.Length == 0 ? o with { PeerAdvertise = null }
                : PeerAddress.TryParse(v.GetString(), out var address, o.PeerPort) ? o with { PeerAdvertise = address }
                : null),
        ["socket"] = Text("an absolute path of at most 100 characters", v => IsAbsolutePath(v) && v.Length <= 100, (o, v) => o with { Socket = v }),
        ["state_dir"] = Text("an absolute path", IsAbsolutePath, (o, v) => o with { StateDirectory = v }),
        ["save_dir"] = Text("an absolute path, or \"\" for saved in the state directory", v => v.Length == 0 || IsAbsolutePath(v), (o, v) => o with { SaveDirectory = v.Length == 0 ? null : v }),
        ["log_file"] = Text("an absolute path, or \"\" for none", v => v.Length == 0 || IsAbsolutePath(v), (o, v) => o with { LogFile = v.Length == 0 ? null : v }),
        ["log_level"] = new("one of debug, info, warning, error", SetLogLevel),
        ["freeze_timeout"] = Time(TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1), (o, v) => o with { FreezeTimeout = v }),
        ["deadline"] = Time(UpToADay.Min, UpToADay.Max, (o, v) => o with { Deadline = v }),
        ["gate_timeout"] = Time(UpToADay.Min, TimeSpan.FromHours(1), (o, v) => o with { GateTimeout = v }),
        ["lease"] = Time(UpToADay.Min, TimeSpan.FromHours(1), (o, v) => o with { Lease = v }),
        ["bandwidth"] = new("a bit rate like \"500Mbit\" or \"2Gbit\", or \"\" for no limit", SetBandwidth),
        ["runc_roots"] = new("a list of absolute paths", SetRuncRoots),
        ["bind_roots"] = new("a list of absolute paths", SetBindRoots),
        ["docker_socket"] = Text("an absolute path", IsAbsolutePath, (o, v) => o with { DockerSocket = v }),
        ["criu"] = Text(
            "an absolute path, or the name of a program in PATH",
            v => IsAbsolutePath(v) || (v.Length > 0 && !v.Contains('/', StringComparison.Ordinal)),
            (o, v) => o with { CriuPath = v }),
        ["memory_tracker"] = Text(
            $"auto or {MemoryTrackers.WriteProtect}",
            v => v is "auto" or MemoryTrackers.WriteProtect or UnprovenSoftDirty,
            (o, v) => o with { MemoryTracker = v == "auto" ? null : v == UnprovenSoftDirty ? MemoryTrackers.SoftDirty : v }),
    };

    /// <summary>Names of all keys.</summary>
    public static IEnumerable<string> Keys => Settings.Keys;

    /// <param name="path">The file; a file that does not exist is an error only if <paramref name="required"/>.</param>
    /// <exception cref="ConfigurationException">It cannot be read, or a key is wrong.</exception>
    public static DaemonOptions Read(string path, bool required)
    {
        byte[] json;
        try
        {
            if (new FileInfo(path).Length > MaxBytes)
            {
                throw new ConfigurationException($"{path}: larger than {MaxBytes} bytes");
            }

            json = File.ReadAllBytes(path);
        }
        catch (Exception e) when (!required && e is FileNotFoundException or DirectoryNotFoundException)
        {
            return CheckDefaults(path, new DaemonOptions());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"{path}: cannot be read: {e.Message}", e);
        }

        return Parse(path, json);
    }

    /// <param name="path">What messages call the file.</param>
    /// <exception cref="ConfigurationException">A key is wrong.</exception>
    public static DaemonOptions Parse(string path, ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions
            {
                CommentHandling = JsonCommentHandling.Skip,
                AllowTrailingCommas = true,
                MaxDepth = 8,
            });
            return CheckDefaults(path, Apply(path, document.RootElement));
        }
        catch (JsonException e)
        {
            throw new ConfigurationException($"{path}: not valid JSON at line {e.LineNumber + 1}: {e.Message}", e);
        }
    }

    private static DaemonOptions Apply(string path, JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new ConfigurationException($"{path}: must be one JSON object {{ ... }}");
        }

        var options = new DaemonOptions();
        var seen = new HashSet<string>(StringComparer.Ordinal);

        // peer_advertise without a port takes peer_port, wherever in the file that stands.
        foreach (var property in root.EnumerateObject().OrderBy(p => p.NameEquals("peer_advertise")))
        {
            if (!Settings.TryGetValue(property.Name, out var setting))
            {
                throw new ConfigurationException($"{path}: unknown key \"{property.Name}\"; known keys: {string.Join(", ", Settings.Keys)}");
            }

            if (!seen.Add(property.Name))
            {
                throw new ConfigurationException($"{path}: key \"{property.Name}\" is given twice");
            }

            options = setting.Apply(options, property.Value)
                ?? throw new ConfigurationException($"{path}: \"{property.Name}\": {property.Value.GetRawText()} is not allowed; it must be {setting.Allowed}");
        }

        return options;
    }

    private static DaemonOptions CheckDefaults(string path, DaemonOptions options) =>
        HostNames.IsValid(options.HostName)
            ? options
            : throw new ConfigurationException($"{path}: \"host_name\" is not set and this machine's own name \"{options.HostName}\" cannot be used; set it to {HostNames.Allowed}");

    private static Setting Text(string allowed, Func<string, bool> isValid, Func<DaemonOptions, string, DaemonOptions> set) =>
        new(allowed, (o, v) => v.ValueKind == JsonValueKind.String && isValid(v.GetString()!) ? set(o, v.GetString()!) : null);

    private static Setting Time(TimeSpan min, TimeSpan max, Func<DaemonOptions, TimeSpan, DaemonOptions> set) =>
        new(
            $"a time like \"500ms\", \"10s\" or \"10m\", from {DurationText.Format(min)} to {DurationText.Format(max)}",
            (o, v) => v.ValueKind == JsonValueKind.String && DurationText.TryParse(v.GetString(), out var time) && time >= min && time <= max ? set(o, time) : null);

    private static DaemonOptions? SetPeerListen(DaemonOptions options, JsonElement value)
    {
        var addresses = new List<IPAddress>();
        foreach (var text in TextsOf(value) ?? [""])
        {
            if (!IPAddress.TryParse(text, out var address))
            {
                return null;
            }

            addresses.Add(address);
        }

        return options with { PeerListen = addresses };
    }

    private static DaemonOptions? SetPeerPort(DaemonOptions options, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var port) && port is > 0 and <= 65535
            ? options with { PeerPort = port }
            : null;

    private static DaemonOptions? SetBandwidth(DaemonOptions options, JsonElement value) =>
        value.ValueKind != JsonValueKind.String ? null
        : value.GetString()!.Length == 0 ? options with { BandwidthBitsPerSecond = null }
        : BitRateText.TryParse(value.GetString(), out var rate) ? options with { BandwidthBitsPerSecond = rate }
        : null;

    private static DaemonOptions? SetRuncRoots(DaemonOptions options, JsonElement value) =>
        TextsOf(value) is { } roots && roots.All(IsAbsolutePath) ? options with { RuncRoots = roots } : null;

    private static DaemonOptions? SetBindRoots(DaemonOptions options, JsonElement value) =>
        TextsOf(value) is { } roots && roots.All(r => IsAbsolutePath(r) && r.Length > 1) ? options with { BindRoots = roots } : null;

    private static DaemonOptions? SetLogLevel(DaemonOptions options, JsonElement value) =>
        (value.ValueKind == JsonValueKind.String ? value.GetString() : null) switch
        {
            "debug" => options with { LogLevel = LogLevel.Debug },
            "info" => options with { LogLevel = LogLevel.Information },
            "warning" => options with { LogLevel = LogLevel.Warning },
            "error" => options with { LogLevel = LogLevel.Error },
            _ => null,
        };

    /// <summary>The texts of an array of nothing but texts; null when it is anything else.</summary>
    private static List<string>? TextsOf(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String)
            ? value.EnumerateArray().Select(v => v.GetString()!).ToList()
            : null;

    private static bool IsAbsolutePath(string path) => path.StartsWith('/') && !path.Contains('\0', StringComparison.Ordinal);

    /// <param name="Allowed">What the value must be, to end "it must be ...".</param>
    /// <param name="Apply">Returns the options with the value set, or null when the value is not allowed.</param>
    private sealed record Setting(string Allowed, Func<DaemonOptions, JsonElement, DaemonOptions?> Apply);
}
