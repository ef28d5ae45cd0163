using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Memory;

/// <summary>An address space, as far as it has memory that others have, too.</summary>
internal interface ISharedMappings
{
    /// <summary>Mappings as they were at the last scan.</summary>
    IReadOnlyList<Mapping> Mappings { get; }

    /// <summary>
    /// Adds the addresses of a shared mapping that were written since the last call, or may have been: also those where there is nothing any more.
    /// </summary>
    /// <returns>False when writes there were not noted (until now), so that what was added is not all.</returns>
    bool FindWrittenShared(Mapping mapping, PageSet written);
}
