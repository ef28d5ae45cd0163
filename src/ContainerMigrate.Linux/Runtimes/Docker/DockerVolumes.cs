using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Volumes;
using ContainerMigrate.Migration;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>
/// Docker's volumes, and the directories that its containers have mounted. A volume that a migration makes bears its id as a label, which stays: that, and not its name,
/// says whose it is when the migration fails.
/// </summary>
internal sealed class DockerVolumes(DockerClient client, IHostDirectories directories)
{
    private const string LocalDriver = "local";
    private const string AnonymousLabel = "com.docker.volume.anonymous";

    /// <summary>Adds what Docker knows of the volumes of a container.</summary>
    public async Task<IReadOnlyList<MountDescription>> DescribeAsync(JsonNode inspect, CancellationToken cancellationToken)
    {
        var mounts = new List<MountDescription>();
        foreach (var mount in DockerMounts.Describe(inspect))
        {
            mounts.Add(mount.Kind == "volume" && await FindAsync(mount.Source, cancellationToken) is { } volume
                ? mount with
                {
                    Driver = volume.Text("Driver"),
                    HasDriverOptions = !volume.At("Options").IsUnset(),
                    Labels = volume.Properties("Labels").Where(l => l.Key is not (DockerSettingsReader.MigrationAnnotation or AnonymousLabel)).ToDictionary(l => l.Key, l => l.Value.Text() ?? ""),
                }
                : mount);
        }

        return mounts;
    }

    /// <summary>Other running containers that write to one of these directories, or have it mounted, by the mounts' paths.</summary>
    public async Task<IReadOnlyDictionary<string, string>> FindUsersAsync(SourceContainer container, CancellationToken cancellationToken)
    {
        var users = new Dictionary<string, string>();
        if (!client.HasSocket)
        {
            return users;
        }

        foreach (var other in (await client.GetAsync("/containers/json", cancellationToken) as JsonArray ?? []).OfType<JsonNode>().Where(c => c.Text("Id") != container.Reference.Id))
        {
            foreach (var mount in other.Items("Mounts").Where(m => m.Text("Type") is "bind" or "volume"))
            {
                foreach (var mine in MountUse.FindConflicts(container, mount.Text("Source"), mount.Flag("RW")))
                {
                    users.TryAdd(mine, other.Texts("Names").FirstOrDefault()?.TrimStart('/') ?? other.Text("Id"));
                }
            }
        }

        return users;
    }

    /// <summary>What this host has for each of the mounts.</summary>
    public async Task<IReadOnlyList<MountFacts>> LookAsync(ContainerManifest manifest, CancellationToken cancellationToken)
    {
        var root = (await client.GetAsync("/info", cancellationToken)).Text("DockerRootDir");
        var facts = new List<MountFacts>();
        foreach (var mount in manifest.Mounts.Where(m => m.HasFiles))
        {
            facts.Add(mount.Kind == "bind" ? await BindPlaces.LookAsync(directories, mount, cancellationToken) : await LookAsync(mount, Path.Combine(root, "volumes"), cancellationToken));
        }

        return facts;
    }

    /// <summary>Makes the volumes that are not here yet; those without a name Docker makes with the container.</summary>
    /// <exception cref="MigrationException">Somebody else has just made one of that name.</exception>
    public async Task CreateAsync(ContainerManifest manifest, string migrationId, CancellationToken cancellationToken)
    {
        foreach (var mount in manifest.Mounts.Where(m => m is { Kind: "volume", IsMade: true, IsAnonymous: false }).DistinctBy(m => m.Source))
        {
            if (await FindAsync(mount.Source, cancellationToken) is not null)
            {
                continue; // looked at before, and claimed
            }

            var labels = new JsonObject(mount.Labels.Select(l => KeyValuePair.Create(l.Key, (JsonNode?)l.Value))) { [DockerSettingsReader.MigrationAnnotation] = migrationId };
            // Not cancelled: dockerd would make it all the same, and after all traces of it were looked for.
            cancellationToken.ThrowIfCancellationRequested();
            var made = await client.PostAsync("/volumes/create", new JsonObject { ["Name"] = mount.Source, ["Driver"] = LocalDriver, ["Labels"] = labels }, CancellationToken.None);
            if (made.Object("Labels").Text(DockerSettingsReader.MigrationAnnotation) != migrationId)
            {
                throw new MigrationException("reserve", $"volume {mount.Source} was just made here by somebody else");
            }
        }
    }

    /// <summary>Removes the volumes that a migration has made; its container is gone.</summary>
    public async Task RemoveMadeAsync(string migrationId, CancellationToken cancellationToken)
    {
        var filters = new JsonObject { ["label"] = new JsonArray($"{DockerSettingsReader.MigrationAnnotation}={migrationId}") };
        foreach (var volume in (await client.GetAsync($"/volumes?filters={Uri.EscapeDataString(filters.ToJsonString())}", cancellationToken)).Items("Volumes"))
        {
            if (volume.Object("Labels").Text(DockerSettingsReader.MigrationAnnotation) == migrationId)
            {
                await client.DeleteAsync(PathOf(volume.Text("Name")), cancellationToken);
            }
        }
    }

    /// <returns>False when another container has it.</returns>
    public async Task<bool> RemoveAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            await client.DeleteAsync(PathOf(name), cancellationToken);
            return true;
        }
        catch (DockerApiException e) when (e.IsNotFound)
        {
            return true;
        }
        catch (DockerApiException e) when (e.IsConflict)
        {
            return false;
        }
    }

    private async Task<MountFacts> LookAsync(MountDescription mount, string volumesDirectory, CancellationToken cancellationToken)
    {
        // One without a name is a new one wherever it goes.
        if (mount.IsAnonymous || await FindAsync(mount.Source, cancellationToken) is not { } volume)
        {
            return BindPlaces.FactsOf(directories, mount, volumesDirectory, followLink: true) with { Kind = PlaceKind.Missing, Directory = "", IsAllowed = true };
        }

        if (volume.Text("Driver") != LocalDriver || !volume.At("Options").IsUnset())
        {
            return new MountFacts
            {
                Target = mount.Target, Kind = PlaceKind.Directory, IsAllowed = true,
                Obstacle = mount.Action is VolumeActions.Shared or VolumeActions.Skip ? "" : $"volume {mount.Source} is here, with driver {volume.Text("Driver")} and options of its own",
            };
        }

        var facts = await BindPlaces.LookAsync(directories, mount, cancellationToken, volume.Text("Mountpoint"));
        return facts with { IsAllowed = true, Obstacle = await FindUserAsync(mount.Source, cancellationToken) is { } user ? $"volume {mount.Source} belongs to container {user} here" : facts.Obstacle };
    }

    // A container that does not run counts: its data is not for others.
    private async Task<string?> FindUserAsync(string volume, CancellationToken cancellationToken)
    {
        var filters = Uri.EscapeDataString(new JsonObject { ["volume"] = new JsonArray(volume) }.ToJsonString());
        var users = (await client.GetAsync($"/containers/json?all=1&filters={filters}", cancellationToken) as JsonArray ?? []).OfType<JsonNode>();
        return users.FirstOrDefault(c => c.Items("Mounts").Any(m => m.Text("Name") == volume))?.Texts("Names").FirstOrDefault()?.TrimStart('/');
    }

    private Task<JsonNode?> FindAsync(string name, CancellationToken cancellationToken) => client.FindAsync(PathOf(name), cancellationToken);

    private static string PathOf(string name) => $"/volumes/{Uri.EscapeDataString(name)}";
}
