using System.Text.Json.Nodes;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>What keeps a running container from leaving this host, beyond its settings and its processes: streams, networks, and how dockerd itself is set up.</summary>
internal sealed class DockerSourceChecks(DockerClient client)
{
    public async Task<IReadOnlyList<CheckFinding>> FindAsync(SourceContainer container, JsonNode inspect, CancellationToken cancellationToken)
    {
        var findings = new List<CheckFinding>();
        var name = container.Reference.Name;
        FindDaemonProblems(await client.GetAsync("/info", cancellationToken), findings);
        FindTerminal(inspect, findings);
        FindNetworkProblems(inspect, DockerSettings.Parse(container.Manifest.Settings), findings);
        if (container.Manifest.Image is null)
        {
            findings.Add(Error(CheckNames.Image, $"the image of {name} was removed from this host by force", "pull or load it again"));
        }

        if (DockerLog.FindLeftBehind(inspect) is { } left)
        {
            findings.Add(new CheckFinding(CheckNames.Settings, CheckSeverity.Warning, "", left, $"docker logs {name} > FILE keeps them"));
        }

        return findings;
    }

    /// <summary>What of a daemon's own configuration rules out a migration, on either host.</summary>
    public static void FindDaemonProblems(JsonNode? info, ICollection<CheckFinding> findings)
    {
        var driver = info.Text("Driver");
        if (info.Items("DriverStatus").Any(p => p is JsonArray { Count: 2 } pair && pair[0].Text() == "driver-type" && pair[1].Text() is { } type && type.StartsWith("io.containerd.snapshotter", StringComparison.Ordinal)))
        {
            findings.Add(Error(CheckNames.Storage, "Docker keeps its images in containerd's store (io.containerd.snapshotter), which is not supported",
                "set \"features\": {\"containerd-snapshotter\": false} and \"storage-driver\": \"overlay2\" in /etc/docker/daemon.json"));
        }
        else if (driver != "overlay2")
        {
            findings.Add(Error(CheckNames.Storage, $"Docker's storage driver is {driver}, only overlay2 is supported", null));
        }

        if (info.Text("CgroupVersion") != "2")
        {
            findings.Add(Error(CheckNames.Runtime, $"Docker uses cgroup v{info.Text("CgroupVersion")}, v2 is needed", "boot with systemd.unified_cgroup_hierarchy=1"));
        }

        if (!info.Object("Runtimes").At("runc").IsUnset() || info.Text("DefaultRuntime") == "runc")
        {
            // What is there is what is needed.
        }
        else
        {
            findings.Add(Error(CheckNames.Runtime, "Docker knows no runtime runc", null));
        }

        foreach (var option in info.Texts("SecurityOptions"))
        {
            if (option.Contains("name=userns", StringComparison.Ordinal) || option.Contains("name=rootless", StringComparison.Ordinal))
            {
                findings.Add(Error(CheckNames.Namespaces, "Docker runs its containers in user namespaces (userns-remap or rootless), which is not supported", null));
            }
        }
    }

    private static void FindTerminal(JsonNode inspect, List<CheckFinding> findings)
    {
        var config = inspect.Object("Config");
        if (config.Flag("Tty") && (config.Flag("AttachStdout") || config.Flag("AttachStdin")))
        {
            findings.Add(new CheckFinding(CheckNames.Terminal, CheckSeverity.Warning, "",
                "the container was started attached to a terminal: a docker run or attach that is still there ends with the move", "docker attach it on the destination"));
        }
    }

    private static void FindNetworkProblems(JsonNode inspect, DockerSettings settings, List<CheckFinding> findings)
    {
        var published = inspect.Object("NetworkSettings").Properties("Ports").Where(p => p.Value is JsonArray { Count: > 0 }).Select(p => p.Key).ToList();
        if (published.Count > 0)
        {
            findings.Add(new CheckFinding(CheckNames.Network, CheckSeverity.Warning, "",
                $"{string.Join(", ", published)} published on this host's address: the destination publishes them on its own, and connections that came that way end",
                "reach the container by its own address"));
        }

        foreach (var attachment in settings.Networks.Where(n => n.Network.IsDefaultBridge))
        {
            findings.Add(Error(CheckNames.Network, $"the container is on Docker's default network {attachment.Network.Name}, where it cannot keep its address on another host",
                "put it on a network made with docker network create --subnet, the same on both hosts and reachable from both"));
        }
    }

    private static CheckFinding Error(string check, string message, string? hint) => new(check, CheckSeverity.Error, "", message, hint);
}
