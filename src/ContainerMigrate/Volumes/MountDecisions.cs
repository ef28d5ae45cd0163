using ContainerMigrate.Checks;
using ContainerMigrate.Containers;

namespace ContainerMigrate.Volumes;

/// <summary>Decides what becomes of each mount: by the operator's word, by what it is, and by what the destination has.</summary>
public static class MountDecisions
{
    /// <summary>What can be said before the destination was asked; the rest stays <see cref="VolumeActions.Auto"/>.</summary>
    /// <exception cref="ArgumentException">A word names no mount, or is not one.</exception>
    public static IReadOnlyList<MountDescription> Begin(IReadOnlyList<MountDescription> mounts, IReadOnlyList<string> words)
    {
        ArgumentNullException.ThrowIfNull(mounts);
        ArgumentNullException.ThrowIfNull(words);
        var actions = new Dictionary<string, string>();
        foreach (var text in words)
        {
            var word = VolumeWord.Parse(text) ?? throw new ArgumentException($"'{text}' says nothing of a volume: it has to be {VolumeWord.Form}");
            var meant = mounts.Where(m => m.HasFiles && (m.Target == word.Name || m.Source == word.Name)).ToList();
            if (meant.Count == 0)
            {
                var names = mounts.Where(m => m.HasFiles).Select(m => m.Name).Distinct().ToList();
                throw new ArgumentException($"the container has no volume '{word.Name}'; it has {(names.Count == 0 ? "none" : string.Join(", ", names))}");
            }

            // The same place mounted twice has one fate.
            foreach (var mount in mounts.Where(m => meant.Any(w => (w.Kind, w.Source) == (m.Kind, m.Source))))
            {
                actions[mount.Target] = word.Action;
            }
        }

        return [.. mounts.Select(m => m.HasFiles ? m with { Action = actions.GetValueOrDefault(m.Target, VolumeActions.Auto) } : m)];
    }

    /// <summary>Decides what was left open.</summary>
    /// <param name="facts">What the destination has said.</param>
    public static IReadOnlyList<MountDescription> Complete(IReadOnlyList<MountDescription> mounts, IReadOnlyList<MountFacts> facts)
    {
        ArgumentNullException.ThrowIfNull(mounts);
        ArgumentNullException.ThrowIfNull(facts);
        var decided = mounts.Select(m => m is { HasFiles: true, Action: VolumeActions.Auto } ? m with { Action = Choose(m, facts.FirstOrDefault(f => f.Target == m.Target)) } : m).ToList();
        // A place that is mounted for writing somewhere is to be copied wherever it is mounted.
        return
        [
            .. decided.Select(m => m.Action == VolumeActions.Same && decided.Any(o => o.IsCopied && (o.Kind, o.Source) == (m.Kind, m.Source)) ? m with { Action = VolumeActions.Copy } : m),
        ];
    }

    /// <summary>What keeps a mount from becoming what was decided, as seen on the source.</summary>
    /// <param name="users">Other running containers that have a mount, by its path.</param>
    public static IEnumerable<CheckFinding> Check(IReadOnlyList<MountDescription> mounts, IReadOnlyDictionary<string, string> users)
    {
        ArgumentNullException.ThrowIfNull(mounts);
        ArgumentNullException.ThrowIfNull(users);
        foreach (var mount in mounts)
        {
            if (mount is { HasFiles: false, Kind: not "tmpfs" })
            {
                yield return Error($"{mount.Target} is a mount of kind '{mount.Kind}', which is not known", null);
            }

            if (mount is { IsFile: true, IsMade: true, Action: not VolumeActions.Copy })
            {
                yield return Error($"{mount.Target} is {mount.Source} of this host, a file: '{mount.Action}' is for directories", $"--volume {mount.Name}=copy where the destination has none there, or skip to use what is there");
            }
            else if (mount is { HasFiles: true, Action: VolumeActions.Auto } || (mount is { IsMade: true, IsFile: false } && mount.Content is not (PlaceKind.Directory or PlaceKind.EmptyDirectory)))
            {
                yield return Error(
                    $"{mount.Target} is {mount.Source} of this host, which is no directory or file: it is neither the same on the destination nor can it go along",
                    $"put the same there, or --volume {mount.Name}=skip to use what is there");
            }
            else if (mount.IsMade && mount.Kind == "volume" && (mount.Driver != "local" || mount.HasDriverOptions))
            {
                yield return Error(
                    $"{mount.Target} is volume {mount.Source} of driver {mount.Driver}{(mount.HasDriverOptions ? ", with options" : "")}: whether its files have to go along is not known",
                    $"--volume {mount.Name}=shared where both hosts reach the same files, with the volume made on the destination by docker volume create; --volume {mount.Name}=skip takes what is there");
            }
            else if (mount.IsCopied && users.TryGetValue(mount.Target, out var other))
            {
                yield return Error(
                    $"{mount.Target} ({mount.Source}) is in use by container {other} too, which stays: what it writes there would not go along",
                    $"stop {other}, or --volume {mount.Name}=skip or shared");
            }
        }

        var copied = mounts.Where(m => m is { IsCopied: true, Kind: "bind" }).Select(m => m.Source.TrimEnd('/')).Distinct().ToList();
        foreach (var (inner, outer) in from inner in copied from outer in copied where inner.StartsWith(outer + "/", StringComparison.Ordinal) select (inner, outer))
        {
            yield return Error($"{inner} lies within {outer}, and both are mounted: only one of them can go along by itself", $"mount {outer} alone");
        }
    }

    private static string Choose(MountDescription mount, MountFacts? facts) =>
        facts is { SeesToken: true } ? VolumeActions.Shared
        : mount.Fingerprint.Length > 0 && facts is { IsIdentical: true } ? VolumeActions.Same
        : mount.IsFile || mount.Content is PlaceKind.Directory or PlaceKind.EmptyDirectory ? VolumeActions.Copy
        : VolumeActions.Auto;

    private static CheckFinding Error(string message, string? hint) => new(CheckNames.Mounts, CheckSeverity.Error, "", message, hint);
}
