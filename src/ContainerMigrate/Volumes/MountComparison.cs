using ContainerMigrate.Checks;
using ContainerMigrate.Containers;

namespace ContainerMigrate.Volumes;

/// <summary>Findings that follow from what is to become of the mounts and what the destination has: asked before anything is touched, and again by the destination itself.</summary>
public static class MountComparison
{
    /// <param name="manifest">With an action for each mount.</param>
    /// <param name="facts">What the destination has.</param>
    /// <param name="destination">Its name.</param>
    public static IEnumerable<CheckFinding> Compare(ContainerManifest manifest, IReadOnlyList<MountFacts> facts, string destination)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(facts);
        // One of which nothing could be decided was refused by the source; here none is made.
        foreach (var mount in manifest.Mounts.Where(m => m is { HasFiles: true, Action: not VolumeActions.Auto }))
        {
            var fact = facts.FirstOrDefault(f => f.Target == mount.Target);
            if ((fact is null ? (Message: "the host says nothing of what it has there", Hint: null) : FindProblem(mount, fact)) is { Message: { } message, Hint: var hint })
            {
                yield return new CheckFinding(CheckNames.Mounts, CheckSeverity.Error, destination, $"{mount.Target}: {message}", hint);
            }
        }

        foreach (var finding in CheckRoom(manifest, facts, destination))
        {
            yield return finding;
        }
    }

    private static (string? Message, string? Hint) FindProblem(MountDescription mount, MountFacts fact)
    {
        if (fact.Obstacle.Length > 0)
        {
            return (fact.Obstacle, null);
        }

        if (mount is { Kind: "bind" } && !fact.IsAllowed && mount is not { Action: VolumeActions.Same, ReadOnly: true })
        {
            return ($"containers from elsewhere may not use {mount.Source} here", $"if they shall: add {Path.GetDirectoryName(mount.Source)} to bind_roots in /etc/ctmigrate/ctmigrated.json there; there must be no symbolic link on the way");
        }

        var isFree = fact.Kind == PlaceKind.Missing || (fact.Kind == PlaceKind.EmptyDirectory && !mount.IsFile);
        return mount.Action switch
        {
            VolumeActions.Copy when mount.IsFile && !isFree => (
                $"{mount.Source} is another one here: it is not replaced", $"remove it there, or --volume {mount.Name}=skip uses it as it is"),
            VolumeActions.Copy or VolumeActions.Empty when !isFree => (
                $"{Described(mount)} exists here and is not empty: it is not replaced",
                $"--volume {mount.Name}=replace puts it aside and removes it after the move; --volume {mount.Name}=skip uses it as it is"),
            VolumeActions.Replace when !isFree && fact.Kind != PlaceKind.Directory => ($"{Described(mount)} is no directory here", null),
            VolumeActions.Shared or VolumeActions.Skip when fact.Kind == PlaceKind.Missing => ($"there is no {Described(mount)} here", mount.Kind == "volume" ? "docker volume create" : "mount or make it"),
            VolumeActions.Shared when fact.SeesToken == false => (
                $"{Described(mount)} here is not the one of the source: a file that was made there does not appear", $"--volume {mount.Name}=copy, or skip to use what is here all the same"),
            VolumeActions.Same when !fact.IsIdentical || !mount.ReadOnly => ($"{Described(mount)} is not the same here", null),
            _ => default,
        };
    }

    private static IEnumerable<CheckFinding> CheckRoom(ContainerManifest manifest, IReadOnlyList<MountFacts> facts, string destination)
    {
        var places = manifest.GetCopiedMounts().Select(m => (Mount: m, Fact: facts.FirstOrDefault(f => f.Target == m.Target))).Where(p => p.Fact is not null);
        foreach (var place in places.GroupBy(p => p.Fact!.FileSystem))
        {
            var (bytes, entries) = (place.Sum(p => p.Mount.Bytes), place.Sum(p => p.Mount.Entries));
            var room = place.First().Fact!;
            var names = string.Join(", ", place.Select(p => p.Mount.Name));
            // A block for each entry, and something on top for what the file system itself needs.
            var needed = ((bytes + (entries * BlockBytes)) / 20 * 21) + HostComparison.SpareVolumeBytes;
            if (needed > room.FreeBytes)
            {
                yield return new CheckFinding(CheckNames.Disk, CheckSeverity.Error, destination,
                    $"not enough room for {names}: {ByteSize.Format(room.FreeBytes)} free, {ByteSize.Format(needed)} needed", "free disk there or choose another host");
            }

            if (entries > room.FreeEntries)
            {
                yield return new CheckFinding(CheckNames.Disk, CheckSeverity.Error, destination,
                    $"not enough inodes for {names}: {room.FreeEntries} free, {entries} needed", "free some there or choose another host");
            }
        }
    }

    private const long BlockBytes = 4096;

    private static string Described(MountDescription mount) => mount.Kind == "volume" ? $"volume {mount.Source}" : mount.Source;
}
