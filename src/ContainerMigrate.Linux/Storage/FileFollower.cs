using System.Text;
using ContainerMigrate.Containers;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>Follows containers' trees; wants root. Keeps no state, any number of containers may be followed.</summary>
public sealed class FileFollower : IFileFollower
{
    /// <inheritdoc/>
    public IFollowedTree Follow(SourceContainer container, MountDescription? mount)
    {
        ArgumentNullException.ThrowIfNull(container);
        if (mount is { IsFile: true } && container.MountDirectories[mount.Target].TrimEnd('/') is var file)
        {
            return new FollowedTree(
                Path.GetDirectoryName(file)!, tree => ContainerWriters.Find(tree, container.CgroupDirectory, container.InitPid, mount.Target), only: Encoding.UTF8.GetBytes(Path.GetFileName(file)));
        }

        var directory = mount is null ? container.WritableLayerDirectory : container.MountDirectories[mount.Target];
        return new FollowedTree(directory, tree => ContainerWriters.Find(tree, container.CgroupDirectory, container.InitPid, mount?.Target));
    }
}
