using System.Text.Json.Nodes;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Runtimes.Oci;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using ContainerMigrate.Volumes;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>Docker on this host, over its API: 20.10 and newer, with overlay2, cgroup v2 and runc.</summary>
public sealed partial class DockerRuntime : IContainerRuntime, IDisposable
{
    /// <summary>What <see cref="ContainerReference.Runtime"/> says of Docker's containers.</summary>
    public const string RuntimeName = "docker";

    private static readonly TimeSpan HeldContainerAnswersWithin = TimeSpan.FromSeconds(2);

    private readonly DockerOptions _options;
    private readonly RestoreLayout _layout;
    private readonly RestoreTimeouts _timeouts;
    private readonly ILogger _logger;
    private readonly DockerClient _client;
    private readonly DockerImages _images;
    private readonly DockerVolumes _volumes;
    private readonly DockerInspector _inspector;
    private readonly DockerCreator _creator;
    private readonly DockerSourceChecks _sourceChecks;
    private readonly DockerTargetChecks _targetChecks;

    public DockerRuntime(DockerOptions options, IContainerNetwork network, IHostDirectories directories, RestoreLayout layout, RestoreTimeouts timeouts, ILogger<DockerRuntime> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _layout = layout;
        _timeouts = timeouts;
        _logger = logger;
        _client = new DockerClient(options);
        _images = new DockerImages(_client, options);
        _volumes = new DockerVolumes(_client, directories);
        _inspector = new DockerInspector(_client, options, network, _images, _volumes);
        _creator = new DockerCreator(_client, options, _inspector, _images, _volumes);
        _sourceChecks = new DockerSourceChecks(_client);
        _targetChecks = new DockerTargetChecks(_client, _inspector, _images);
    }

    /// <inheritdoc/>
    public string Name => RuntimeName;

    /// <inheritdoc/>
    public async Task<RuntimeStatus> GetStatusAsync(CancellationToken cancellationToken)
    {
        if (!_client.HasSocket)
        {
            return new RuntimeStatus(Available: false, "", "", $"Docker is not here: there is no {_options.SocketPath}");
        }

        try
        {
            var info = await _client.GetAsync("/info", cancellationToken);
            return new RuntimeStatus(Available: true, info.Text("ServerVersion"), info.Text("Driver"),
                $"API {await _client.GetVersionAsync(cancellationToken)}, cgroup v{info.Text("CgroupVersion")} ({info.Text("CgroupDriver")})");
        }
        catch (DockerApiException e)
        {
            return new RuntimeStatus(Available: false, "", "", e.Message);
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ContainerReference>> FindAsync(string nameOrId, CancellationToken cancellationToken) =>
        _client.HasSocket ? await CallAsync("check", () => _inspector.FindAsync(nameOrId, cancellationToken)) : [];

    /// <inheritdoc/>
    public Task<ContainerLife> FindLifeAsync(ContainerReference reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reference);
        return CallAsync("check", () => _inspector.FindLifeAsync(reference.Id, cancellationToken));
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<RunningContainer>> ListAsync(CancellationToken cancellationToken) =>
        _client.HasSocket ? await CallAsync("list", () => _inspector.ListRunningAsync(cancellationToken)) : [];

    /// <inheritdoc/>
    public async Task<SourceContainer> InspectAsync(ContainerReference reference, CancellationToken cancellationToken) =>
        (await CallAsync("check", () => _inspector.InspectRunningAsync(reference, [], cancellationToken))).Container;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<CheckFinding>> CheckSourceAsync(SourceContainer container, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(container);
        var findings = new List<CheckFinding>();
        try
        {
            var (current, inspect) = await _inspector.InspectRunningAsync(container.Reference, findings, cancellationToken);
            findings.AddRange(await _sourceChecks.FindAsync(current, inspect, cancellationToken));
            if (container.Manifest.Offline && inspect.Object("HostConfig").Flag("AutoRemove"))
            {
                findings.Add(new CheckFinding(CheckNames.Settings, CheckSeverity.Error, "", "the container was started with --rm: Docker removes it when it is stopped", "migrate it without --offline"));
            }
        }
        catch (MigrationException e)
        {
            findings.Add(new CheckFinding(CheckNames.State, CheckSeverity.Error, "", e.Failure.Cause, e.Failure.NextStep));
        }
        catch (DockerApiException e)
        {
            findings.Add(new CheckFinding(CheckNames.Runtime, CheckSeverity.Error, "", e.Message));
        }

        return findings;
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<CheckFinding>> CheckTargetAsync(ContainerManifest manifest, CancellationToken cancellationToken)
    {
        try
        {
            return await _targetChecks.FindAsync(manifest, cancellationToken);
        }
        catch (DockerApiException e)
        {
            return [new CheckFinding(CheckNames.Runtime, CheckSeverity.Error, "", e.Message, "systemctl status docker")];
        }
    }

    /// <inheritdoc/>
    public async Task<JsonObject> ReadRestartPolicyAsync(ContainerReference reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reference);
        return RestartPolicy.Read(await CallAsync("freeze", () => _client.GetAsync($"/containers/{reference.Id}/json", cancellationToken)));
    }

    /// <inheritdoc/>
    public Task SuspendRestartPolicyAsync(ContainerReference reference, CancellationToken cancellationToken) =>
        ReturnRestartPolicyAsync(reference, RestartPolicy.Never(), cancellationToken);

    /// <inheritdoc/>
    public Task ReturnRestartPolicyAsync(ContainerReference reference, JsonObject policy, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reference);
        return CallAsync("restart policy", async () =>
        {
            await RestartPolicy.ApplyAsync(_client, reference.Id, policy, cancellationToken);
            if (await RestartPolicy.MakeUpForAsync(_client, reference.Id, policy, hasEnded: false, cancellationToken))
            {
                LogStarted(reference.Name);
            }
        });
    }

    /// <inheritdoc/>
    public bool CanStop => true;

    /// <inheritdoc/>
    public async Task StopAsync(ContainerReference reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reference);
        cancellationToken.ThrowIfCancellationRequested();
        await CallAsync("stop", async () =>
        {
            await _client.PostAsync($"/containers/{reference.Id}/stop", body: null, CancellationToken.None, _options.StopTimeout);
            // Not the list, which dockerd brings up to date a moment later.
            if ((await _inspector.FindLifeAsync(reference.Id, CancellationToken.None)).InitPid > 0)
            {
                throw new DockerApiException(null, $"container {reference.Name} goes on running after docker stop");
            }
        });
        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <inheritdoc/>
    public Task StartAsync(ContainerReference reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reference);
        return CallAsync("start", async () =>
        {
            try
            {
                await _client.PostAsync($"/containers/{reference.Id}/start", body: null, cancellationToken, _options.StopTimeout);
            }
            catch (DockerApiException e) when (e.IsNotFound)
            {
                // It was removed: nobody wants it back.
            }
        });
    }

    /// <inheritdoc/>
    public Task DestroyAsync(ContainerReference reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reference);
        return CallAsync("destroy", async () =>
        {
            KillFrozen(await _client.FindAsync($"/containers/{reference.Id}/json", cancellationToken), reference.Id);
            await DockerRemoval.RemoveAsync(_client, _inspector, _options, reference.Id, withVolumes: false, cancellationToken);
            // It may have come here by a migration itself; its restore ends with it.
            await using var gate = new RestoreGate(_layout.RestoreDirectory(reference.Id), _timeouts, _logger);
            gate.Delete();
        });
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> FindMissingLayersAsync(ImageIdentity image, CancellationToken cancellationToken) =>
        CallAsync("image", () => _images.FindMissingLayersAsync(image, cancellationToken));

    /// <inheritdoc/>
    public Task ExportImageAsync(ImageIdentity image, IReadOnlyList<string> layers, Stream destination, CancellationToken cancellationToken) =>
        CallAsync("image", () => _images.ExportAsync(image, layers, destination, cancellationToken));

    /// <inheritdoc/>
    public Task ImportImageAsync(ImageIdentity image, Stream source, CancellationToken cancellationToken) =>
        CallAsync("image", () => _images.ImportAsync(image, source, cancellationToken));

    /// <inheritdoc/>
    public async Task<ITargetContainer> CreateAsync(ContainerManifest manifest, string migrationId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var made = await CallAsync("create", () => _creator.CreateAsync(manifest, migrationId, cancellationToken));
        if (!manifest.Offline)
        {
            return Target(manifest, made.Id, made.UpperDirectory, made.LogFile, made.MountDirectories);
        }

        var offline = new DockerOfflineContainer(_client, _inspector, _images, _options, manifest, made, new StartRefusal(_layout));
        offline.Hold(migrationId);
        return offline;
    }

    /// <inheritdoc/>
    public Task RemoveTracesAsync(ContainerManifest manifest, string migrationId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return CallAsync("abort", async () =>
        {
            if (await FindMarkedAsync(manifest.Name, migrationId, cancellationToken) is { } id)
            {
                await DockerRemoval.RemoveAsync(_client, _inspector, _options, id, withVolumes: true, cancellationToken);
                new StartRefusal(_layout).Allow(id);
            }

            await _volumes.RemoveMadeAsync(migrationId, cancellationToken);
            if (manifest.Image is { } image)
            {
                await _images.DiscardAsync(image, cancellationToken);
            }
        });
    }

    /// <inheritdoc/>
    public Task<IReadOnlyDictionary<string, string>> FindMountUsersAsync(SourceContainer container, CancellationToken cancellationToken) =>
        CallAsync("check", () => _volumes.FindUsersAsync(container, cancellationToken));

    /// <inheritdoc/>
    public Task<IReadOnlyList<MountFacts>> LookAtMountsAsync(ContainerManifest manifest, CancellationToken cancellationToken) =>
        CallAsync("check", () => _volumes.LookAsync(manifest, cancellationToken));

    /// <inheritdoc/>
    public Task<bool> RemoveVolumeAsync(string name, CancellationToken cancellationToken) => CallAsync("destroy", () => _volumes.RemoveAsync(name, cancellationToken));

    /// <inheritdoc/>
    public Task<IReadOnlyDictionary<string, string>> FindHostLinksAsync(ContainerManifest manifest, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return CallAsync("check", async () =>
        {
            var hostLinks = new Dictionary<string, string>();
            foreach (var attachment in DockerSettings.Parse(manifest.Settings).Networks)
            {
                if (attachment.Interface is { } link
                    && await _client.FindAsync($"/networks/{Uri.EscapeDataString(attachment.Network.Name)}", cancellationToken) is { } network
                    && DockerNetwork.FindHostLink(network) is { } hostLink)
                {
                    hostLinks[link] = hostLink;
                }
            }

            return (IReadOnlyDictionary<string, string>)hostLinks;
        });
    }

    /// <inheritdoc/>
    public Task<ITargetContainer?> OpenAsync(ContainerManifest manifest, string containerId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return CallAsync("recovery", async () =>
        {
            if (await _inspector.FindStateAsync(containerId, cancellationToken) is null)
            {
                new StartRefusal(_layout).Allow(containerId); // of one that came offline, and was removed just before this daemon's last end
                return (ITargetContainer?)null;
            }

            if (manifest.Offline)
            {
                var made = new DockerCreator.Made(containerId, await FindUpperDirectoryAsync(containerId, cancellationToken), null, new Dictionary<string, string>());
                return new DockerOfflineContainer(_client, _inspector, _images, _options, manifest, made, new StartRefusal(_layout));
            }

            var target = Target(manifest, containerId, await FindUpperDirectoryAsync(containerId, cancellationToken), logFile: null, new Dictionary<string, string>());
            target.Attach();
            return target;
        });
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private DockerTargetContainer Target(ContainerManifest manifest, string id, string upperDirectory, string? logFile, IReadOnlyDictionary<string, string> mountDirectories)
    {
        var directory = _layout.RestoreDirectory(id);
        return new DockerTargetContainer(
            _client, _inspector, _images, _options, manifest, id, upperDirectory, logFile, mountDirectories, new RestoreGate(directory, _timeouts, _logger), directory, _logger);
    }

    private async Task<string?> FindMarkedAsync(string name, string migrationId, CancellationToken cancellationToken)
    {
        var named = (await _inspector.ListAsync(null, cancellationToken)).FirstOrDefault(c => c.Name == name);
        if (named is null)
        {
            return null;
        }

        var inspect = await _client.FindAsync($"/containers/{named.Id}/json", cancellationToken);
        return inspect.Object("HostConfig").Object("Annotations").Text(DockerSettingsReader.MigrationAnnotation) == migrationId
               && !inspect.Object("State").Flag("Running")
            ? named.Id
            : null;
    }

    // A container whose start is held does not answer; its layer was filled before that, so nobody needs the path then.
    private async Task<string> FindUpperDirectoryAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            return DockerInspector.UpperDirectory(await _client.FindAsync($"/containers/{id}/json", cancellationToken, HeldContainerAnswersWithin));
        }
        catch (DockerApiException e) when (e.Status is null)
        {
            LogHeld(id, e.Message);
            return "";
        }
    }

    private void KillFrozen(JsonNode? inspect, string id)
    {
        if ((int)inspect.Object("State").Number("Pid") is not (> 0 and var pid))
        {
            return;
        }

        try
        {
            ContainerCgroup.Find(pid, id, _options.CgroupMount).KillAllButInit(pid);
        }
        catch (MigrationException e)
        {
            LogNoCgroup(id, e.Failure.Cause);
        }
    }

    /// <summary>What dockerd says against a call becomes a failure of this stage.</summary>
    internal static async Task<T> CallAsync<T>(string stage, Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (Exception e) when (e is DockerApiException or InvalidDataException)
        {
            throw new MigrationException(stage, e.Message, innerException: e);
        }
    }

    /// <inheritdoc cref="CallAsync{T}"/>
    internal static Task CallAsync(string stage, Func<Task> call) =>
        CallAsync(stage, async () =>
        {
            await call();
            return true;
        });

    [LoggerMessage(LogLevel.Information, "container {Id} does not answer while its start is held ({Reason})")]
    private partial void LogHeld(string id, string reason);

    [LoggerMessage(LogLevel.Warning, "container {Id} is left to dockerd to kill: {Reason}")]
    private partial void LogNoCgroup(string id, string reason);

    [LoggerMessage(LogLevel.Information, "{Container} had ended with its host, and was started again as its restart policy says")]
    private partial void LogStarted(string container);
}
