using System.Text.Json.Nodes;

namespace ContainerMigrate.Linux.Network;

/// <summary>
/// Settings of a network namespace (<c>net.*</c> of sysctl). A runtime sets them when a container's init starts; a restored
/// container's init starts elsewhere, and CRIU leaves a namespace that is made for it as the kernel makes it.
/// </summary>
public static class NetworkSysctls
{
    private const string Root = "/proc/sys/";

    /// <summary>Those of an OCI runtime configuration (<c>linux.sysctl</c>); CRIU itself keeps the ones of other namespaces.</summary>
    public static IReadOnlyDictionary<string, string> Read(JsonObject config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return (config["linux"]?["sysctl"] as JsonObject ?? [])
            .Where(setting => IsOfNetwork(setting.Key) && setting.Value is JsonValue)
            .ToDictionary(setting => setting.Key, setting => setting.Value!.GetValue<string>(), StringComparer.Ordinal);
    }

    /// <summary>Sets them inside the namespace.</summary>
    /// <returns>The ones that could not be set, with the reason; one of a link cannot be set before the link is there.</returns>
    /// <exception cref="IOException">The namespace cannot be entered.</exception>
    public static async Task<IReadOnlyDictionary<string, string>> ApplyAsync(string networkNamespacePath, IReadOnlyDictionary<string, string> settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return settings.Count == 0 ? settings : await NetworkNamespace.RunAsync(networkNamespacePath, () => Apply(settings));
    }

    // /proc/sys/net shows the namespace of the thread that looks.
    private static Dictionary<string, string> Apply(IReadOnlyDictionary<string, string> settings)
    {
        var failures = new Dictionary<string, string>();
        foreach (var (name, value) in settings)
        {
            try
            {
                using var file = new FileStream(FindPath(name), FileMode.Open, FileAccess.Write);
                file.Write(System.Text.Encoding.UTF8.GetBytes(value));
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                failures[name] = exception.Message;
            }
        }

        return failures;
    }

    // sysctl(8): the first separator counts; behind a slash, a dot belongs to a name (net/ipv4/conf/eth0.100/forwarding), and the other way round.
    private static string FindPath(string name)
    {
        var isPath = name.AsSpan().IndexOfAny('.', '/') is >= 0 and var first && name[first] == '/';
        var path = Path.GetFullPath(Root + (isPath ? name : string.Join('/', name.Split('.').Select(part => part.Replace('/', '.')))));
        return path.StartsWith(Root + "net/", StringComparison.Ordinal) ? path : throw new IOException($"{name} is no setting of a network");
    }

    private static bool IsOfNetwork(string name) => name.StartsWith("net.", StringComparison.Ordinal) || name.StartsWith("net/", StringComparison.Ordinal);
}
