using System.Text.Json;
using System.Text.Json.Nodes;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Linux.Runtimes.Oci;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Linux.Volumes;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using ContainerMigrate.Storage;
using ContainerMigrate.Volumes;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Linux.Runtimes.Runc;

/// <summary>
/// Bundles of plain runc that have a root file system and a network namespace of their own. There is no image: the root file system
/// is what the writable layer is elsewhere. Nobody but us attaches the network.
/// </summary>
public sealed class RuncRuntime : IContainerRuntime
{
    private const string ConfigKey = "config";
    private static readonly TimeSpan CommandTimeout = TimeSpan.FromSeconds(30);

    private readonly IProcessRunner _processes;
    private readonly RuncOptions _options;
    private readonly RestoreLayout _layout;
    private readonly IContainerNetwork _network;
    private readonly INetworkFence _fence;
    private readonly IDirectoryCopier _copier;
    private readonly IHostDirectories _directories;
    private readonly ILoggerFactory _loggers;

    public RuncRuntime(
        IProcessRunner processes, RuncOptions options, RestoreLayout layout, IContainerNetwork network, INetworkFence fence, IDirectoryCopier copier, IHostDirectories directories, ILoggerFactory loggers)
    {
        _processes = processes;
        _options = options;
        _layout = layout;
        _network = network;
        _fence = fence;
        _copier = copier;
        _directories = directories;
        _loggers = loggers;
    }

    /// <inheritdoc/>
    public string Name => "runc";

    /// <inheritdoc/>
    public async Task<RuntimeStatus> GetStatusAsync(CancellationToken cancellationToken)
    {
        var result = await _processes.RunAsync(new ProcessCommand("runc", "--version") { Timeout = CommandTimeout }, cancellationToken);
        return result.Succeeded
            ? new RuntimeStatus(true, result.StandardOutput.Split('\n')[0].Replace("runc version ", "", StringComparison.Ordinal).Trim(), "", "")
            : new RuntimeStatus(false, "", "", result.FailureReason);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<ContainerReference>> FindAsync(string nameOrId, CancellationToken cancellationToken)
    {
        // Directories of the state roots are the ids, as for `runc list`.
        IReadOnlyList<ContainerReference> found = [.. _options.Roots.Where(r => File.Exists(Path.Combine(r, nameOrId, "state.json"))).Select(_ => new ContainerReference(Name, nameOrId, nameOrId))];
        return Task.FromResult(found);
    }

    /// <inheritdoc/>
    public async Task<ContainerLife> FindLifeAsync(ContainerReference reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reference);
        return await ReadStateAsync(reference.Id, cancellationToken) is not var (_, state) ? new ContainerLife(0, false, "it was removed")
            : state.Status == "stopped" ? new ContainerLife(0, true, "runc calls it stopped")
            : new ContainerLife(state.Pid, true, "");
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<RunningContainer>> ListAsync(CancellationToken cancellationToken)
    {
        var containers = new List<RunningContainer>();
        foreach (var id in _options.Roots.Where(Directory.Exists).SelectMany(Directory.GetDirectories).Where(d => File.Exists(Path.Combine(d, "state.json"))).Select(d => Path.GetFileName(d)!).Distinct().Order(StringComparer.Ordinal))
        {
            if (await ReadStateAsync(id, cancellationToken) is { State: { Status: "running" or "paused" } state })
            {
                containers.Add(new RunningContainer(new ContainerReference(Name, id, id), await ReadAnnotationsAsync(state.Bundle, cancellationToken), state.Status == "paused"));
            }
        }

        return containers;
    }

    private static async Task<IReadOnlyDictionary<string, string>> ReadAnnotationsAsync(string bundle, CancellationToken cancellationToken)
    {
        try
        {
            var annotations = JsonNode.Parse(await File.ReadAllBytesAsync(Path.Combine(bundle, "config.json"), cancellationToken))?["annotations"] as JsonObject ?? [];
            return annotations.Where(a => a.Value is JsonValue).ToDictionary(a => a.Key, a => a.Value!.ToString());
        }
        catch (Exception e) when (e is IOException or JsonException or InvalidOperationException)
        {
            return new Dictionary<string, string>(); // what is wrong with the bundle its check tells
        }
    }

    /// <inheritdoc/>
    public async Task<SourceContainer> InspectAsync(ContainerReference reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reference);
        var (root, state) = await ReadStateAsync(reference.Id, cancellationToken) ?? throw new MigrationException("check", $"there is no runc container '{reference.Id}'");
        if (state.Status is not ("running" or "paused"))
        {
            throw new MigrationException("check", $"runc container '{reference.Id}' is {state.Status}, not running");
        }

        JsonObject config;
        string rootPath;
        try
        {
            config = JsonNode.Parse(await File.ReadAllBytesAsync(Path.Combine(state.Bundle, "config.json"), cancellationToken)) as JsonObject ?? throw new JsonException("not an object");
            rootPath = Path.GetFullPath(config["root"]?["path"]?.GetValue<string>() ?? "rootfs", state.Bundle);
        }
        catch (Exception e) when (e is IOException or JsonException or InvalidOperationException or ArgumentException)
        {
            throw new MigrationException("check", $"the bundle of '{reference.Id}' cannot be read: {e.Message}", innerException: e);
        }

        var cgroup = Cgroups.ProcessCgroup.DirectoryOf(state.Pid);
        var processes = Cgroups.ProcessCgroup.ReadProcesses(cgroup);
        var files = await _copier.MeasureAsync(rootPath, cancellationToken);
        return new SourceContainer
        {
            Reference = reference,
            InitPid = state.Pid,
            CgroupDirectory = cgroup,
            WritableLayerDirectory = rootPath,
            RuncRoot = root,
            MountDirectories = RuncMounts.Describe(config).DistinctBy(m => m.Target).ToDictionary(m => m.Target, m => m.Source),
            Manifest = new ContainerManifest
            {
                Runtime = Name,
                SourceId = reference.Id,
                Name = reference.Name,
                Paused = state.Status == "paused",
                StandardStreams = Oci.RecordedStreams.Read(root, reference.Id),
                Mounts = RuncMounts.Describe(config),
                Settings = new JsonObject { [ConfigKey] = config },
                MemoryBytes = Cgroups.ProcessCgroup.ReadMemoryBytes(cgroup, processes),
                WritableLayerBytes = files.ContentBytes,
                WritableLayerEntries = files.Entries,
                ProcessCount = processes.Count,
            },
        };
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<CheckFinding>> CheckSourceAsync(SourceContainer container, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(container);
        var findings = new List<CheckFinding>(RuncBundle.Check(ConfigOf(container.Manifest), container.Manifest.Mounts));
        if (container.Manifest.Paused)
        {
            findings.Add(new CheckFinding(CheckNames.State, CheckSeverity.Error, "", "the container is paused, which runc cannot restore", "`runc resume` it first"));
        }

        findings.AddRange(NamespaceSharing.FindStrangers(container));
        findings.AddRange(StandardStreams.FindPipes(container.InitPid));
        return Task.FromResult<IReadOnlyList<CheckFinding>>(findings);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<CheckFinding>> CheckTargetAsync(ContainerManifest manifest, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var config = ConfigOf(manifest);
        var findings = new List<CheckFinding>(RuncBundle.Check(config, manifest.Mounts));
        if ((await FindAsync(manifest.Name, cancellationToken)).Count > 0)
        {
            findings.Add(new CheckFinding(CheckNames.Name, CheckSeverity.Error, "", $"there is a runc container '{manifest.Name}' already", $"`runc delete {manifest.Name}` there, if it is not needed"));
        }

        if (Directory.Exists(BundleOf(manifest.Name)))
        {
            findings.Add(new CheckFinding(CheckNames.Name, CheckSeverity.Error, "", $"{BundleOf(manifest.Name)} exists already", "remove it, if it is not needed"));
        }

        if (RuncBundle.NetworkName(config) is { } name && File.Exists(NetworkNamespaces.PathOf(name)))
        {
            findings.Add(new CheckFinding(CheckNames.Network, CheckSeverity.Error, "", $"there is a network namespace '{name}' already", $"`ip netns del {name}` there, if it is not needed"));
        }

        foreach (var link in manifest.Links)
        {
            if (link.HostLink is null || !Directory.Exists("/sys/class/net/" + link.HostLink))
            {
                findings.Add(new CheckFinding(CheckNames.Network, CheckSeverity.Error, "", $"the container's {link.Name} hangs on {link.HostLink ?? "a link that cannot be told"}, and there is no such link here",
                    link.HostLink is null ? null : $"make a link or bridge {link.HostLink} on the same network"));
            }
        }

        return findings;
    }

    /// <inheritdoc/>
    public Task<IReadOnlyDictionary<string, string>> FindHostLinksAsync(ContainerManifest manifest, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return Task.FromResult<IReadOnlyDictionary<string, string>>(
            manifest.Links.Where(l => l.HostLink is { } host && Directory.Exists("/sys/class/net/" + host)).ToDictionary(l => l.Name, l => l.HostLink!, StringComparer.Ordinal));
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<string, string>> FindMountUsersAsync(SourceContainer container, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(container);
        var users = new Dictionary<string, string>();
        foreach (var id in _options.Roots.Where(Directory.Exists).SelectMany(Directory.GetDirectories).Select(d => Path.GetFileName(d)).Where(id => id != container.Reference.Id && ManifestValidator.IsName(id)))
        {
            foreach (var mount in await ReadMountsAsync(id, cancellationToken))
            {
                foreach (var mine in MountUse.FindConflicts(container, mount.Source, !mount.ReadOnly))
                {
                    users.TryAdd(mine, id);
                }
            }
        }

        return users;
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<MountFacts>> LookAtMountsAsync(ContainerManifest manifest, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return await Task.WhenAll(manifest.Mounts.Where(m => m.HasFiles).Select(m => BindPlaces.LookAsync(_directories, m, cancellationToken)));
    }

    /// <inheritdoc/>
    public Task<bool> RemoveVolumeAsync(string name, CancellationToken cancellationToken) => throw new NotSupportedException("runc has no volumes");

    /// <inheritdoc/>
    public Task<JsonObject> ReadRestartPolicyAsync(ContainerReference reference, CancellationToken cancellationToken) => Task.FromResult(new JsonObject());

    /// <inheritdoc/>
    public Task SuspendRestartPolicyAsync(ContainerReference reference, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task ReturnRestartPolicyAsync(ContainerReference reference, JsonObject policy, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public bool CanStop => false;

    /// <inheritdoc/>
    public Task StopAsync(ContainerReference reference, CancellationToken cancellationToken) => throw new MigrationException("stop", "runc does not keep containers that are stopped");

    /// <inheritdoc/>
    public Task StartAsync(ContainerReference reference, CancellationToken cancellationToken) => throw new MigrationException("start", "runc does not keep containers that are stopped");

    /// <inheritdoc/>
    public async Task DestroyAsync(ContainerReference reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reference);
        if (await ReadStateAsync(reference.Id, cancellationToken) is not var (root, state))
        {
            // A daemon that was killed in the middle of this may have left what comes after the container.
            RemoveBundle(Path.Combine(_options.BundlesDirectory, reference.Id), cancellationToken);
            new RestoreGate(_layout.RestoreDirectory(reference.Id), RestoreTimeouts.Default, _loggers.CreateLogger<RestoreGate>()).Delete();
            return;
        }

        var config = Path.Combine(state.Bundle, "config.json");
        var network = File.Exists(config) && JsonNode.Parse(await File.ReadAllBytesAsync(config, cancellationToken)) is JsonObject json ? RuncBundle.NetworkName(json) : null;
        await RemoveLinksAsync(state.Pid, cancellationToken);
        if (network is not null)
        {
            // Its name, while it is known; the namespace itself goes with the processes.
            await NetworkNamespaces.DeleteAsync(_processes, network, cancellationToken);
        }

        // SIGKILL reaches frozen processes of cgroup v2.
        var result = await _processes.RunAsync(new ProcessCommand("runc", "--root", root, "delete", "--force", reference.Id) { Timeout = CommandTimeout }, cancellationToken);
        if (!result.Succeeded && await RuncState.ReadAsync(_processes, root, reference.Id, cancellationToken) is not null)
        {
            throw new MigrationException("destroy", $"runc delete: {result.FailureReason}");
        }

        RemoveBundle(state.Bundle, cancellationToken);
        new RestoreGate(_layout.RestoreDirectory(reference.Id), RestoreTimeouts.Default, _loggers.CreateLogger<RestoreGate>()).Delete();
    }

    // A bundle that we made goes; one that an operator made is his, as for `runc delete`.
    private void RemoveBundle(string bundle, CancellationToken cancellationToken)
    {
        if (Path.GetDirectoryName(bundle) == _options.BundlesDirectory && Directory.Exists(bundle))
        {
            DirectoryCleaner.Empty(bundle, cancellationToken);
            Directory.Delete(bundle);
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> FindMissingLayersAsync(ImageIdentity image, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<string>>([]);

    /// <inheritdoc/>
    public Task ExportImageAsync(ImageIdentity image, IReadOnlyList<string> layers, Stream destination, CancellationToken cancellationToken) =>
        throw new NotSupportedException("a runc bundle has no image");

    /// <inheritdoc/>
    public Task ImportImageAsync(ImageIdentity image, Stream source, CancellationToken cancellationToken) =>
        throw new MigrationException("protocol", "a runc bundle has no image");

    /// <inheritdoc/>
    public async Task<ITargetContainer> CreateAsync(ContainerManifest manifest, string migrationId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var config = ConfigOf(manifest);
        if (RuncBundle.Check(config, manifest.Mounts) is [var first, ..])
        {
            throw new MigrationException("reserve", first.Message);
        }

        var bundle = BundleOf(manifest.Name);
        if (Directory.Exists(bundle))
        {
            throw new MigrationException("reserve", $"{bundle} exists already");
        }

        Directory.CreateDirectory(_options.BundlesDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.CreateDirectory(Path.Combine(bundle, "rootfs"));
        var container = Target(manifest);
        await container.WriteConfigAsync(RuncBundle.Adapt(config, manifest.Name, container.NetworkName is { } name ? NetworkNamespaces.PathOf(name) : null), migrationId, cancellationToken);
        return container;
    }

    /// <inheritdoc/>
    public async Task RemoveTracesAsync(ContainerManifest manifest, string migrationId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var container = Target(manifest);
        if (await container.BelongsToAsync(migrationId, cancellationToken))
        {
            await container.RemoveAsync(cancellationToken);
        }
    }

    /// <inheritdoc/>
    public async Task<ITargetContainer?> OpenAsync(ContainerManifest manifest, string containerId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var container = Target(manifest);
        await container.AttachAsync(cancellationToken);
        return Directory.Exists(BundleOf(manifest.Name)) ? container : null;
    }

    // The sockets of killed processes keep their namespace for a while, and in it the MAC address that may be needed here again.
    private async Task RemoveLinksAsync(int pid, CancellationToken cancellationToken)
    {
        var network = $"/proc/{pid}/ns/net";
        if (!File.Exists(network))
        {
            return;
        }

        foreach (var link in await _network.DescribeAsync(network, cancellationToken))
        {
            var result = await _processes.RunAsync(new ProcessCommand("ip", "link", "del", "dev", link.Name) { NetworkNamespacePath = network, Timeout = CommandTimeout }, cancellationToken);
            if (!result.Succeeded)
            {
                throw new MigrationException("destroy", $"ip link del {link.Name}: {result.FailureReason}");
            }
        }
    }

    // Of a container that runs; one that cannot be read is none.
    private async Task<IReadOnlyList<MountDescription>> ReadMountsAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            return await ReadStateAsync(id, cancellationToken) is { State: { Status: "running" or "paused" } state }
                   && JsonNode.Parse(await File.ReadAllBytesAsync(Path.Combine(state.Bundle, "config.json"), cancellationToken)) is JsonObject config
                ? RuncMounts.Describe(config)
                : [];
        }
        catch (Exception e) when (e is IOException or JsonException or MigrationException)
        {
            return [];
        }
    }

    private static JsonObject ConfigOf(ContainerManifest manifest) =>
        manifest.Settings[ConfigKey] as JsonObject ?? throw new MigrationException("protocol", "the manifest has no runc configuration");

    private RuncTargetContainer Target(ContainerManifest manifest) =>
        new(_processes, _options.Roots[0], BundleOf(manifest.Name), manifest, RuncBundle.NetworkName(ConfigOf(manifest)), _network, _fence, _layout, _loggers);

    private string BundleOf(string name) => Path.Combine(_options.BundlesDirectory, name);

    private async Task<(string Root, RuncState State)?> ReadStateAsync(string id, CancellationToken cancellationToken)
    {
        foreach (var root in _options.Roots)
        {
            if (await RuncState.ReadAsync(_processes, root, id, cancellationToken) is { } state)
            {
                return (root, state);
            }
        }

        return null;
    }
}
