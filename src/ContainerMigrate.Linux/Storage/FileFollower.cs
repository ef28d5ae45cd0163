using ContainerMigrate.Containers;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>Follows containers' trees; wants root. Keeps no state, any number of containers may be followed.</summary>
public sealed class FileFollower : IFileFollower
{
    /// <inheritdoc/>
    public IFollowedTree Follow(SourceContainer container, string directory)
    {
        ArgumentNullException.ThrowIfNull(container);
        return new FollowedTree(directory, tree => ContainerWriters.Find(tree, container.CgroupDirectory, container.InitPid));
    }
}
