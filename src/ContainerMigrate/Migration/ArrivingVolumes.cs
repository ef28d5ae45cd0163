using System.Text.Json;
using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Journal;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Migration;

/// <summary>
/// The places on the destination that the files of an arriving container's mounts go to: made for it, noted in the journal before they are, and removed again
/// when it does not come. Volumes that are not there yet are the runtime's to make, which marks them with the migration's id.
/// </summary>
internal sealed class ArrivingVolumes(MigrationEnvironment environment, IMigrationJournal journal, ContainerManifest manifest)
{
    private readonly IReadOnlyList<MountDescription> _copied = manifest.GetCopiedMounts();

    /// <summary>Makes what has to be there before the container is made.</summary>
    /// <exception cref="MigrationException">Something is there that must not be replaced.</exception>
    public async Task MakeAsync(CancellationToken cancellationToken)
    {
        if (manifest.Mounts.FirstOrDefault(m => m is { HasFiles: true, Action: VolumeActions.Auto }) is { } open)
        {
            throw new MigrationException("reserve", $"nothing was decided about {open.Target}");
        }

        var made = manifest.Mounts.Where(m => m.IsMade).DistinctBy(m => (m.Kind, m.Source)).ToList();
        if (made.Count == 0)
        {
            return;
        }

        var facts = await environment.Runtime(manifest.Runtime).LookAtMountsAsync(manifest, cancellationToken);
        try
        {
            var claims = new List<DirectoryClaim>();
            foreach (var mount in made)
            {
                var directory = mount.Kind == "bind" ? mount.Source : facts.First(f => f.Target == mount.Target).Directory;
                if (mount is { IsFile: true, IsCopied: true })
                {
                    claims.Add(environment.Directories.PlanFile(directory, $".ctmigrate-{journal.MigrationId}-{claims.Count}"));
                }
                else if (directory.Length > 0)
                {
                    claims.Add(environment.Directories.Plan(directory, mount.Action == VolumeActions.Replace ? $".ctmigrate-{journal.MigrationId}" : null));
                }
            }

            Note(claims);
            for (var i = 0; i < claims.Count; i++)
            {
                claims[i] = environment.Directories.Make(claims[i]);
                Note(claims);
            }
        }
        catch (IOException e)
        {
            throw new MigrationException(MigrationFailure.OfTransfer("", e) with { Stage = "reserve" }, e);
        }
    }

    /// <summary>Notes where the files go, once the container is made.</summary>
    public void Open(ITargetContainer container)
    {
        if (_copied.Count > 0)
        {
            var stages = ReadClaims().Where(c => c.Stage.Length > 0).ToDictionary(c => c.Path, c => c.Arrival);
            journal.Append(MigrationPhase.Reserved, new JsonObject { [JournalKeys.VolumeDirectories] = new JsonArray([.. _copied.Select(m => (JsonNode)(stages.GetValueOrDefault(m.Source) ?? container.MountDirectories[m.Target]))]) });
        }
    }

    /// <summary>Where each copied mount's files go, by its path in the container.</summary>
    public IReadOnlyDictionary<string, string> DirectoriesByTarget => _copied.Zip(ReadDirectories()).ToDictionary(p => p.First.Target, p => p.Second);

    /// <summary>Where a tree goes.</summary>
    /// <param name="number">Its place in <see cref="ContainerManifest.GetCopiedMounts"/>.</param>
    /// <exception cref="InvalidDataException">There is none of that number.</exception>
    public string DirectoryOf(int number) => ReadDirectories() is var all && number < all.Count ? all[number] : throw new InvalidDataException($"there is no volume {number}");

    /// <summary>Puts single files into their places, once all has arrived and before the runtime mounts them.</summary>
    /// <exception cref="InvalidDataException">One has not arrived.</exception>
    /// <exception cref="IOException">A place is not free any more.</exception>
    public void Place()
    {
        var claims = ReadClaims();
        if (claims.Any(c => c.Stage.Length > 0))
        {
            claims = [.. claims.Select(c => c.Stage.Length > 0 ? environment.Directories.Arrived(c) : c)];
            Note(claims, MigrationPhase.Receiving);
            foreach (var claim in claims.Where(c => c.Stage.Length > 0))
            {
                environment.Directories.Place(claim);
            }
        }
    }

    /// <summary>Makes what has arrived durable.</summary>
    public async Task SyncAsync(CancellationToken cancellationToken)
    {
        foreach (var directory in ReadDirectories())
        {
            await environment.Copier.SyncAsync(directory, cancellationToken);
        }
    }

    /// <summary>The container has arrived: what was put aside for it goes.</summary>
    public void Settle()
    {
        foreach (var claim in ReadClaims())
        {
            environment.Directories.Settle(claim);
        }
    }

    /// <summary>The container does not come: everything is as before. Idempotent.</summary>
    public void Undo()
    {
        foreach (var claim in ReadClaims().Reverse())
        {
            environment.Directories.Undo(claim);
        }
    }

    private void Note(IReadOnlyList<DirectoryClaim> claims, MigrationPhase phase = MigrationPhase.Reserved) =>
        journal.Append(phase, new JsonObject { [JournalKeys.Claims] = JsonSerializer.SerializeToNode(claims, JournalJson.Default.IReadOnlyListDirectoryClaim) });

    private IReadOnlyList<DirectoryClaim> ReadClaims() =>
        journal.Value(JournalKeys.Claims) is { } node ? node.Deserialize(JournalJson.Default.IReadOnlyListDirectoryClaim) ?? [] : [];

    private IReadOnlyList<string> ReadDirectories() => journal.Value(JournalKeys.VolumeDirectories) is JsonArray list ? [.. list.Select(d => d!.GetValue<string>())] : [];
}
