using System.Text.Json.Nodes;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>Reads a container of this host: from dockerd, and from /proc where dockerd does not tell.</summary>
internal sealed class DockerInspector(DockerClient client, DockerOptions options, IContainerNetwork network, DockerImages images, DockerVolumes volumes)
{
    private const string RunningStage = "check";

    // dockerd mounts its init at /sbin/docker-init (daemon/oci_linux.go); in images of today /sbin is a link to /usr/sbin.
    private const string InitPath = "/sbin/docker-init";

    /// <summary>Containers of this name, id, or beginning of an id.</summary>
    public async Task<IReadOnlyList<ContainerReference>> FindAsync(string nameOrId, CancellationToken cancellationToken)
    {
        var all = await ListAsync(null, cancellationToken);
        var exact = all.Where(c => c.Name == nameOrId || c.Id == nameOrId).ToList();
        return exact.Count > 0 || nameOrId.Length == 0 ? exact : [.. all.Where(c => c.Id.StartsWith(nameOrId, StringComparison.Ordinal))];
    }

    /// <summary>State as the list shows it (<c>created</c>, <c>running</c>, ...); null when there is no such container. Does not wait for a start that is held.</summary>
    public async Task<string?> FindStateAsync(string id, CancellationToken cancellationToken)
    {
        var filter = Uri.EscapeDataString(new JsonObject { ["id"] = new JsonArray(id) }.ToJsonString());
        var list = await client.GetAsync($"/containers/json?all=1&filters={filter}", cancellationToken) as JsonArray;
        return list?.FirstOrDefault(c => c.Text("Id") == id)?.Text("State");
    }

    /// <inheritdoc cref="IContainerRuntime.FindLifeAsync"/>
    public async Task<ContainerLife> FindLifeAsync(string id, CancellationToken cancellationToken)
    {
        if (await client.FindAsync($"/containers/{Uri.EscapeDataString(id)}/json", cancellationToken) is not { } inspect)
        {
            return new ContainerLife(0, false, "it was removed");
        }

        var state = inspect.Object("State");
        return state.Flag("Running") ? new ContainerLife((int)state.Number("Pid"), true, "")
            : new ContainerLife(0, true, state.Flag("OOMKilled") ? "its memory limit was reached, and the kernel killed it" : $"exit code {state.Number("ExitCode")}");
    }

    /// <exception cref="MigrationException">There is none, or it does not run.</exception>
    public async Task<(SourceContainer Container, JsonNode Inspect)> InspectRunningAsync(
        ContainerReference reference, ICollection<CheckFinding> findings, CancellationToken cancellationToken)
    {
        var inspect = await client.FindAsync($"/containers/{Uri.EscapeDataString(reference.Id)}/json?size=1", cancellationToken)
                      ?? throw new MigrationException(RunningStage, $"there is no container {reference.Name}");
        var name = inspect.Text("Name").TrimStart('/');
        var state = inspect.Object("State");
        var pid = (int)state.Number("Pid");
        if (!state.Flag("Running") || state.Flag("Restarting") || pid <= 0)
        {
            throw new MigrationException(RunningStage, $"container {name} is not running (it is {state.Text("Status")})", $"docker start {name}");
        }

        var id = inspect.Text("Id");
        var cgroup = ContainerCgroup.Find(pid, id, options.CgroupMount);
        var processes = cgroup.ReadProcesses();
        var links = inspect.Object("HostConfig").Text("NetworkMode") == "host" ? [] : await network.DescribeAsync($"/proc/{pid}/ns/net", cancellationToken);
        var settings = await ReadSettingsAsync(inspect, links, HasInit(pid), findings, cancellationToken);
        var layer = await MeasureLayerAsync(inspect, cancellationToken);
        var container = new SourceContainer
        {
            Reference = new ContainerReference(reference.Runtime, id, name),
            InitPid = pid,
            CgroupDirectory = cgroup.Directory,
            WritableLayerDirectory = UpperDirectory(inspect),
            RuncRoot = options.RuncRoot,
            ProbeCommand = ProbeCommand(inspect.Object("Config")),
            LogFile = DockerLog.FileOf(inspect),
            MountDirectories = DockerMounts.Directories(inspect),
            Manifest = new ContainerManifest
            {
                Runtime = reference.Runtime,
                SourceId = id,
                Name = name,
                Paused = state.Flag("Paused"),
                HasTerminal = inspect.Object("Config").Flag("Tty"),
                StandardStreams = Oci.RecordedStreams.Read(options.RuncRoot, id),
                Image = await images.IdentifyAsync(inspect, cancellationToken),
                Links = links,
                Mounts = await volumes.DescribeAsync(inspect, cancellationToken),
                Settings = settings.ToJson(),
                MemoryBytes = cgroup.ReadMemoryBytes(processes),
                WritableLayerBytes = layer.ContentBytes,
                WritableLayerEntries = layer.Entries,
                ProcessCount = processes.Count,
                LogBytes = DockerLog.FileOf(inspect) is { } log ? new FileInfo(log).Length : 0,
            },
        };
        return (container, inspect);
    }

    /// <summary>Settings of any container, running or not.</summary>
    public async Task<DockerSettings> ReadSettingsAsync(
        JsonNode inspect, IReadOnlyList<NetworkLink> links, bool? hasInit, ICollection<CheckFinding> findings, CancellationToken cancellationToken)
    {
        var networks = new Dictionary<string, DockerNetwork>();
        foreach (var (name, endpoint) in inspect.Object("NetworkSettings").Properties("Networks"))
        {
            var id = endpoint.Text("NetworkID") is { Length: > 0 } known ? known : name;
            if (await client.FindAsync($"/networks/{Uri.EscapeDataString(id)}", cancellationToken) is { } description)
            {
                networks[name] = DockerNetwork.FromInspect(description);
            }
        }

        var info = await client.GetAsync("/info", cancellationToken);
        return DockerSettingsReader.Read(inspect, networks, links, hasInit, findings) with
        {
            DockerVersion = info.Text("ServerVersion"),
            Api = await client.GetVersionAsync(cancellationToken),
            CgroupDriver = info.Text("CgroupDriver"),
        };
    }

    // dockerd says -1 where it cannot walk the layer, which is so with paths longer than PATH_MAX.
    private static async Task<CopyTotals> MeasureLayerAsync(JsonNode inspect, CancellationToken cancellationToken) =>
        inspect.Number("SizeRw") is >= 0 and var size ? new CopyTotals(0, size)
        : UpperDirectory(inspect) is { Length: > 0 } directory ? await new DirectoryCopier().MeasureAsync(directory, cancellationToken)
        : new CopyTotals(0, 0);

    /// <summary>Overlay's upper directory; empty for other storage drivers.</summary>
    public static string UpperDirectory(JsonNode? inspect) => inspect.Object("GraphDriver").Object("Data").Text("UpperDir");

    /// <summary>Containers with their names, all of them or those that match a filter.</summary>
    public async Task<IReadOnlyList<ContainerReference>> ListAsync(JsonObject? filters, CancellationToken cancellationToken)
    {
        var query = filters is null ? "" : "&filters=" + Uri.EscapeDataString(filters.ToJsonString());
        var list = await client.GetAsync("/containers/json?all=1" + query, cancellationToken) as JsonArray ?? [];
        return [.. list.OfType<JsonNode>().Select(ReferenceOf)];
    }

    /// <summary>Containers that run or are paused.</summary>
    public async Task<IReadOnlyList<RunningContainer>> ListRunningAsync(CancellationToken cancellationToken)
    {
        var list = await client.GetAsync("/containers/json", cancellationToken) as JsonArray ?? [];
        return
        [
            .. list.OfType<JsonNode>().Where(c => c.Text("State") is "running" or "paused").Select(c => new RunningContainer(
                ReferenceOf(c), (c["Labels"] as JsonObject ?? []).ToDictionary(l => l.Key, l => l.Value.Text() ?? ""), c.Text("State") == "paused")),
        ];
    }

    private static ContainerReference ReferenceOf(JsonNode container) => new(
        DockerRuntime.RuntimeName,
        container.Text("Id"),
        // Links give a container further names, /other/alias.
        container.Texts("Names").Select(n => n.TrimStart('/')).FirstOrDefault(n => !n.Contains('/', StringComparison.Ordinal)) ?? container.Text("Id"));

    /// <summary>What Docker executes for a health check (moby daemon/health.go).</summary>
    internal static IReadOnlyList<string> ProbeCommand(JsonNode? config)
    {
        string[] test = [.. config.Object("Healthcheck").Texts("Test")];
        string[] shell = [.. config.Texts("Shell")];
        return test switch
        {
            ["CMD", .. var command] => command,
            ["CMD-SHELL", .. var command] => [.. shell.Length > 0 ? shell : ["/bin/sh", "-c"], .. command],
            _ => [],
        };
    }

    private static bool? HasInit(int pid)
    {
        try
        {
            return File.ReadLines($"/proc/{pid}/mountinfo").Any(l => l.Split(' ') is { Length: > 4 } fields && fields[4].EndsWith(InitPath, StringComparison.Ordinal));
        }
        catch (IOException)
        {
            return null;
        }
    }
}
