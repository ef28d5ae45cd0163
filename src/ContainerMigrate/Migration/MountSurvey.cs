using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Migration;

/// <summary>Finds out, for the planner, what is behind a container's mounts and what becomes of it.</summary>
internal sealed class MountSurvey(MigrationEnvironment environment)
{
    /// <summary>Takes up the operator's words, and looks at what there is.</summary>
    /// <exception cref="MigrationException">A word is wrong.</exception>
    public async Task<SourceContainer> BeginAsync(SourceContainer container, IReadOnlyList<string> words, CancellationToken cancellationToken)
    {
        IReadOnlyList<MountDescription> mounts;
        try
        {
            mounts = MountDecisions.Begin(container.Manifest.Mounts, words);
        }
        catch (ArgumentException e)
        {
            throw new MigrationException(new MigrationFailure(environment.HostName, "check", e.Message));
        }

        var described = new List<MountDescription>();
        foreach (var mount in mounts)
        {
            described.Add(container.MountDirectories.TryGetValue(mount.Target, out var directory)
                ? mount with
                {
                    Content = KindOf(directory),
                    Fingerprint = mount is { ReadOnly: true, Action: VolumeActions.Auto } ? await environment.Directories.FingerprintAsync(directory, cancellationToken) ?? "" : "",
                }
                : mount);
        }

        return With(container, described);
    }

    /// <summary>Asks the destination, with a token wherever both hosts may see the same storage.</summary>
    public async Task<T> AskAsync<T>(SourceContainer container, Func<ContainerManifest, Task<T>> ask)
    {
        var left = new List<(string Directory, string Token)>();
        try
        {
            var mounts = container.Manifest.Mounts.Select(m => m with { Token = LeaveToken(container, m, left) }).ToList();
            return await ask(container.Manifest with { Mounts = mounts });
        }
        finally
        {
            left.ForEach(t => environment.Directories.RemoveToken(t.Directory, t.Token));
        }
    }

    /// <summary>Decides what was open, and measures what goes along.</summary>
    /// <param name="facts">The destination's answer.</param>
    /// <param name="findings">Gets what is in the way on either host.</param>
    /// <returns>The container with its mounts decided, and whether another container here has one of them too.</returns>
    public async Task<(SourceContainer Container, bool HasUsers)> CompleteAsync(
        SourceContainer container, IReadOnlyList<MountFacts> facts, string destination, ICollection<CheckFinding> findings, CancellationToken cancellationToken)
    {
        if (!container.Manifest.Mounts.Any(m => m.Kind != "tmpfs"))
        {
            return (container, false);
        }

        var mounts = MountDecisions.Complete(container.Manifest.Mounts, facts).ToList();
        for (var i = 0; i < mounts.Count; i++)
        {
            if (mounts[i].IsCopied && mounts[i].Content is PlaceKind.Directory or PlaceKind.EmptyDirectory && container.MountDirectories.TryGetValue(mounts[i].Target, out var directory))
            {
                var size = await environment.Copier.MeasureAsync(directory, cancellationToken);
                mounts[i] = mounts[i] with { Bytes = size.ContentBytes, Entries = size.Entries };
            }
            else if (mounts[i] is { IsCopied: true, IsFile: true } && new FileInfo(mounts[i].Source) is { Exists: true } file)
            {
                mounts[i] = mounts[i] with { Bytes = file.Length, Entries = 1 };
            }
        }

        container = With(container, mounts);
        var users = await FindUsersAsync(container, cancellationToken);
        foreach (var finding in MountDecisions.Check(mounts, users))
        {
            findings.Add(finding with { Host = environment.HostName });
        }

        foreach (var finding in MountComparison.Compare(container.Manifest, facts, destination))
        {
            findings.Add(finding);
        }

        return (container, users.Count > 0);
    }

    /// <summary>What <c>check</c> shows.</summary>
    public static IReadOnlyList<MountReport> Report(ContainerManifest manifest) =>
    [
        .. manifest.Mounts.Select(m => new MountReport
        {
            Kind = m.Kind, Source = m.IsAnonymous ? "" : m.Source, Target = m.Target, ReadOnly = m.ReadOnly, Action = m.HasFiles ? m.Action : "memory", Bytes = m.Bytes, Entries = m.Entries,
        }),
    ];

    // Whatever runtime it is of, another container may have the same directory.
    private async Task<IReadOnlyDictionary<string, string>> FindUsersAsync(SourceContainer container, CancellationToken cancellationToken)
    {
        var users = new Dictionary<string, string>();
        foreach (var runtime in environment.Runtimes)
        {
            if ((await runtime.GetStatusAsync(cancellationToken)).Available)
            {
                foreach (var (target, name) in await runtime.FindMountUsersAsync(container, cancellationToken))
                {
                    users.TryAdd(target, name);
                }
            }
        }

        return users;
    }

    // A link to a file would travel as a link.
    private PlaceKind KindOf(string path) =>
        environment.Directories.Look(path, followLink: true).Kind is var kind && kind == PlaceKind.File && environment.Directories.Look(path, followLink: false).Kind != PlaceKind.File ? PlaceKind.Other : kind;

    private string LeaveToken(SourceContainer container, MountDescription mount, List<(string Directory, string Token)> left)
    {
        if (mount.ReadOnly || mount.Action is not (VolumeActions.Auto or VolumeActions.Shared) || mount.HasDriverOptions
            || !container.MountDirectories.TryGetValue(mount.Target, out var directory)
            || environment.Directories.Look(directory, followLink: true) is not { Kind: PlaceKind.Directory or PlaceKind.EmptyDirectory } place
            || (mount.Action == VolumeActions.Auto && !place.MayBeShared)
            || environment.Directories.LeaveToken(directory) is not { } token)
        {
            return "";
        }

        left.Add((directory, token));
        return token;
    }

    private static SourceContainer With(SourceContainer container, IReadOnlyList<MountDescription> mounts) => container with { Manifest = container.Manifest with { Mounts = mounts } };
}
