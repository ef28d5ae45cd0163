using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Migration;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>Makes a container on this host from a manifest, and makes sure that dockerd made what was asked.</summary>
internal sealed class DockerCreator(DockerClient client, DockerOptions options, DockerInspector inspector, DockerImages images, DockerVolumes volumes)
{
    private const string Stage = "create";

    // api/types/network/endpoint.go. Docker lists a subnet that it chose itself as if it had been given: only this call tells.
    private const string ChosenSubnetMessage = "user configured subnets";

    /// <summary>A container that is made and not started.</summary>
    /// <param name="UpperDirectory">Its writable layer, empty.</param>
    /// <param name="LogFile">Where its log will be; null when its log driver keeps no file.</param>
    /// <param name="MountDirectories">Host directories behind its mounts.</param>
    public sealed record Made(string Id, string UpperDirectory, string? LogFile, IReadOnlyDictionary<string, string> MountDirectories);

    /// <exception cref="MigrationException">It cannot be made as it was; nothing is left of the attempt.</exception>
    public async Task<Made> CreateAsync(ContainerManifest manifest, string migrationId, CancellationToken cancellationToken)
    {
        var settings = Movable(manifest);
        if (manifest.Image is not { } identity)
        {
            throw new MigrationException(Stage, "the container has no image");
        }

        var image = await images.ResolveAsync(identity, cancellationToken);
        var request = DockerCreateRequest.Build(settings, manifest.Mounts, image, migrationId, await client.GetVersionAsync(cancellationToken));
        await volumes.CreateAsync(manifest, migrationId, cancellationToken);
        string? id = null;
        try
        {
            // Not cancelled: dockerd would make it all the same, and after all traces of it were looked for.
            id = (await client.PostAsync($"/containers/create?name={Uri.EscapeDataString(manifest.Name)}", request.Body, CancellationToken.None)).Text("Id");
            cancellationToken.ThrowIfCancellationRequested();
            foreach (var (network, endpoint) in request.Connections)
            {
                var body = new JsonObject { ["Container"] = id, ["EndpointConfig"] = endpoint };
                await client.PostAsync($"/networks/{Uri.EscapeDataString(network)}/connect", body, cancellationToken);
            }

            var inspect = await client.GetAsync($"/containers/{id}/json", cancellationToken);
            await CheckMadeAsAskedAsync(settings, manifest.Mounts, inspect!, cancellationToken);
            var upperDirectory = DockerInspector.UpperDirectory(inspect);

            // Docker has made the working directory where the image lacks it; the source's layer brings its own, and receiving replaces nothing.
            DirectoryCleaner.Empty(upperDirectory, cancellationToken);
            var info = await client.GetAsync("/info", cancellationToken);
            return new Made(id, upperDirectory, DockerLog.FutureFileOf(inspect, info.Text("DockerRootDir"), id), DockerMounts.Directories(inspect));
        }
        catch (Exception e)
        {
            if (!string.IsNullOrEmpty(id))
            {
                await DockerRemoval.RemoveAsync(client, inspector, options, id, withVolumes: true, CancellationToken.None);
            }

            if (e is DockerApiException && e.Message.Contains(ChosenSubnetMessage, StringComparison.Ordinal))
            {
                var commands = settings.Networks.Select(n => $"docker network rm {n.Network.Name}; {n.Network.CreateCommand()}");
                throw new MigrationException(Stage, "Docker here chose the network's subnet itself, and gives no fixed addresses there", string.Join("; ", commands), e);
            }

            throw;
        }
    }

    /// <summary>The manifest's settings, if all of them can be kept; no skipped check makes a container that differs.</summary>
    private static DockerSettings Movable(ContainerManifest manifest)
    {
        DockerSettings settings;
        try
        {
            settings = DockerSettings.Parse(manifest.Settings);
        }
        catch (InvalidDataException e)
        {
            throw new MigrationException(Stage, e.Message, innerException: e);
        }

        var mounts = manifest.Mounts.Where(m => m.HasFiles ? m.Action == VolumeActions.Auto : m.Kind != "tmpfs").Select(m => $"mount {m.Target}");
        var unmovable = settings.Unmovable.Concat(mounts).Distinct().Select(SettingShapes.Shown).ToList();
        return unmovable.Count == 0
            ? settings
            : throw new MigrationException(Stage, $"the container cannot be rebuilt as it is: {string.Join(", ", unmovable)}");
    }

    // dockerd ignores what it does not know and drops what the kernel cannot keep; neither may happen unseen.
    private async Task CheckMadeAsAskedAsync(DockerSettings wanted, IReadOnlyList<MountDescription> mounts, JsonNode inspect, CancellationToken cancellationToken)
    {
        var actual = await inspector.ReadSettingsAsync(inspect, [], hasInit: null, [], cancellationToken);
        var differences = wanted.DifferencesFrom(actual).Concat(DockerMounts.Differences(mounts, inspect)).ToList();
        if (differences.Count > 0)
        {
            throw new MigrationException(Stage, $"Docker here did not keep {string.Join(", ", differences)}");
        }

        if (DockerInspector.UpperDirectory(inspect).Length == 0)
        {
            throw new MigrationException(Stage, $"the container has no writable layer of overlay2 (its driver is {inspect.Text("Driver")})");
        }
    }
}
