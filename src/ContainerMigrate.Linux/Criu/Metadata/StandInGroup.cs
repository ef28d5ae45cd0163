using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Criu.Metadata;

/// <summary>Processes for which one <see cref="PagemapStandIn"/> can stand.</summary>
/// <param name="guards">Guard pages that each of them has.</param>
internal sealed class StandInGroup(PageSet guards)
{
    internal PageSet Guards => guards;

    /// <summary>Pages that one or another has.</summary>
    internal PageSet Pages { get; } = new();

    internal List<FrozenProcess> Processes { get; } = [];
}
