using ContainerMigrate.Containers;
using ContainerMigrate.Journal;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Migration;

/// <summary>What of an arriving container's files outlives a failed attempt: put aside at its end, and taken up again by the next one of the same container from the same host.</summary>
internal sealed class KeptFiles(MigrationEnvironment environment, IMigrationJournal journal, ContainerManifest manifest, string peer, ArrivingVolumes volumes)
{
    // No path in a container.
    private const string Layer = "layer";

    /// <summary>Content that this attempt has left.</summary>
    public long KeptBytes { get; private set; }

    /// <summary>Takes up what an earlier attempt has left, into a container that was just made.</summary>
    /// <param name="maxBytes">Content beyond this is removed instead: the container has become smaller since.</param>
    /// <returns>Content that is there now, which counts as brought by this attempt.</returns>
    public long Adopt(ITargetContainer container, long maxBytes)
    {
        var bytes = environment.Kept.Find(peer, manifest.SourceId)?.Bytes ?? 0;
        return environment.Kept.Adopt(peer, manifest.SourceId, bytes > maxBytes ? [] : Directories(container)).Count > 0 ? bytes : 0;
    }

    /// <summary>Writes what was taken up of a tree.</summary>
    /// <exception cref="InvalidDataException">There is no such tree.</exception>
    public Task DescribeAsync(int tree, ITargetContainer container, Stream destination, CancellationToken cancellationToken) =>
        environment.Kept.DescribeAsync(tree == TreesFormat.LayerNumber ? container.WritableLayerDirectory : volumes.DirectoryOf(tree), destination, cancellationToken);

    /// <summary>Puts aside what has arrived, if that was asked for, before it is removed; nothing runs any more.</summary>
    public void Keep(ITargetContainer container)
    {
        if (journal.Value(JournalKeys.KeepFiles)?.GetValue<bool>() == true)
        {
            KeptBytes = environment.Kept.Keep(peer, manifest.SourceId, Directories(container))?.Bytes ?? 0;
        }
    }

    private Dictionary<string, string> Directories(ITargetContainer container)
    {
        var directories = new Dictionary<string, string>(volumes.DirectoriesByTarget);
        if (container.WritableLayerDirectory.Length > 0)
        {
            directories[Layer] = container.WritableLayerDirectory;
        }

        return directories;
    }
}
