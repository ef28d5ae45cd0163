using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>What `docker inspect` says of a container, one line a value, without what may differ between two hosts.</summary>
public static partial class ContainerSettings
{
    private const int ShortIdLength = 12;

    public static IReadOnlyList<string> Of(JsonNode inspect)
    {
        ArgumentNullException.ThrowIfNull(inspect);
        var id = inspect["Id"]!.GetValue<string>();
        return
        [
            .. Flatten("", inspect)
                .Where(l => !MayDiffer().IsMatch(l))
                .Select(l => Capability().Replace(l, "$1 \"CAP_").Replace(id[..ShortIdLength], "ID", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal),
        ];
    }

    // Nothing, an empty list and an empty object mean the same: which of them is shown depends on who created the container.
    private static IEnumerable<string> Flatten(string path, JsonNode? node) => node switch
    {
        null => [],
        JsonObject value => value.SelectMany(p => Flatten($"{path}.{p.Key}", p.Value)),
        JsonArray values => values.SelectMany((v, i) => Flatten($"{path}[{i}]", v)),
        _ => [$"{path} {node.ToJsonString()}"],
    };

    // Ids, times, process numbers, places of files, the probes' results; the MAC address that Docker 26 also shows where it was given
    // (it stands in NetworkSettings for all); our own mark; that there is no init, where it is the daemon's default that says so.
    [GeneratedRegex("""
        ^\.(Id|Created|State\.(Pid|StartedAt|FinishedAt|Health\..*)|GraphDriver\.Data\..*|(Hostname|Hosts|Log|ResolvConf)Path
        |NetworkSettings\.(Sandbox(ID|Key)|Networks\.[^.]*\.(EndpointID|NetworkID))|Config\.MacAddress
        |HostConfig\.Annotations\.org\.containermigrate\.migration)\ |^\.HostConfig\.Init\ false$
        """, RegexOptions.IgnorePatternWhitespace | RegexOptions.ExplicitCapture)]
    private static partial Regex MayDiffer();

    // Docker 28 shows NET_ADMIN as CAP_NET_ADMIN, whoever typed it.
    [GeneratedRegex("""^(\.HostConfig\.Cap(?:Add|Drop)\[\d+\]) "(?!CAP_|ALL")""")]
    private static partial Regex Capability();
}
