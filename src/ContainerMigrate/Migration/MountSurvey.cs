using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Protocol;
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

    /// <summary>Asks the destination, with a token wherever both hosts may see the same storage: on file systems that are made for that, and, asked once more, wherever it has something of that name.</summary>
    public async Task<PeerCheckReply> AskAsync(SourceContainer container, Func<ContainerManifest, Task<PeerCheckReply>> ask)
    {
        var reply = await AskAsync(container, new HashSet<string>(), ask);
        var content = container.Manifest.Mounts.Where(m => m is { HasFiles: true, ReadOnly: false, IsFile: false, Action: VolumeActions.Auto }).ToDictionary(m => m.Target, m => m.Content);
        var there = (reply.Mounts ?? []).Where(f => f is { SeesToken: null, Obstacle: "" } && content.TryGetValue(f.Target, out var here) && here == f.Kind && here is PlaceKind.Directory or PlaceKind.EmptyDirectory);
        return there.Select(f => f.Target).ToHashSet() is { Count: > 0 } targets ? await AskAsync(container, targets, ask) : reply;
    }

    private async Task<PeerCheckReply> AskAsync(SourceContainer container, HashSet<string> suspected, Func<ContainerManifest, Task<PeerCheckReply>> ask)
    {
        var left = new List<(string Directory, string Token)>();
        try
        {
            var mounts = container.Manifest.Mounts.Select(m => m with { Token = LeaveToken(container, m, suspected, left) }).ToList();
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
                if (facts.FirstOrDefault(f => f.Target == mounts[i].Target)?.Limits is { IsNarrow: true } limits
                    && await environment.Directories.FindUnsupportedAsync(directory, limits, cancellationToken) is { } unsupported)
                {
                    findings.Add(new CheckFinding(CheckNames.Mounts, CheckSeverity.Error, destination, $"{mounts[i].Target}: {unsupported}; the file system that it would go to does not take that",
                        $"have another one there (ext4, XFS or btrfs with their usual options), or --volume {mounts[i].Name}=skip to use what is there"));
                }
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

    private string LeaveToken(SourceContainer container, MountDescription mount, HashSet<string> suspected, List<(string Directory, string Token)> left)
    {
        if (mount.ReadOnly || mount.Action is not (VolumeActions.Auto or VolumeActions.Shared) || mount.HasDriverOptions
            || !container.MountDirectories.TryGetValue(mount.Target, out var directory)
            || environment.Directories.Look(directory, followLink: true) is not { Kind: PlaceKind.Directory or PlaceKind.EmptyDirectory } place
            || (mount.Action == VolumeActions.Auto && !place.MayBeShared && !suspected.Contains(mount.Target))
            || environment.Directories.LeaveToken(directory) is not { } token)
        {
            return "";
        }

        left.Add((directory, token));
        return token;
    }

    private static SourceContainer With(SourceContainer container, IReadOnlyList<MountDescription> mounts) => container with { Manifest = container.Manifest with { Mounts = mounts } };
}
