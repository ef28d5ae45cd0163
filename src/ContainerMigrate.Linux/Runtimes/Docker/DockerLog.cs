using System.Text.Json.Nodes;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>Where dockerd's <c>json-file</c> driver keeps what a container has written (moby daemon/container, StartLogger).</summary>
internal static class DockerLog
{
    private const string Driver = "json-file";

    /// <summary>The log of a container that was started; null for other drivers, whose logs are not files that one could go on with.</summary>
    public static string? FileOf(JsonNode? inspect) =>
        inspect.Object("HostConfig").Object("LogConfig").Text("Type") == Driver && inspect.Text("LogPath") is { Length: > 0 } path && File.Exists(path) ? path : null;

    /// <summary>Where the log of a container will be that is not started yet.</summary>
    /// <param name="dockerRoot">dockerd's <c>DockerRootDir</c>.</param>
    public static string? FutureFileOf(JsonNode? inspect, string dockerRoot, string id) =>
        inspect.Object("HostConfig").Object("LogConfig").Text("Type") == Driver && Path.IsPathRooted(dockerRoot)
            ? Path.Combine(dockerRoot, "containers", id, $"{id}-json.log")
            : null;

    /// <summary>Says which of the lines written so far stay behind; null when all of them go along or there are none.</summary>
    public static string? FindLeftBehind(JsonNode? inspect)
    {
        var driver = inspect.Object("HostConfig").Object("LogConfig").Text("Type");
        if (driver == Driver)
        {
            return FileOf(inspect) is { } file && Directory.EnumerateFiles(Path.GetDirectoryName(file)!, Path.GetFileName(file) + ".*", new EnumerationOptions { MatchType = MatchType.Simple }).Any()
                ? "log files that were rotated away stay here and are removed with the container"
                : null;
        }

        return driver == "none" ? null : $"log lines written so far stay here: the log driver {driver} does not keep them in a file that can be carried on";
    }
}
