namespace ContainerMigrate.Linux.Host;

/// <summary>A process of a container, seen from the host.</summary>
internal sealed record ContainerProcess
{
    /// <summary>Its pid in the host's namespace.</summary>
    internal required int Id { get; init; }

    internal required string Name { get; init; }

    /// <summary>Its command line.</summary>
    internal IReadOnlyList<string> Arguments { get; init; } = [];

    internal int ParentId { get; init; }

    /// <summary>The process that traces it; 0 for none.</summary>
    internal int TracerId { get; init; }

    /// <summary>Its namespaces: <c>net</c> is <c>net:[4026531833]</c>.</summary>
    internal IReadOnlyDictionary<string, string> Namespaces { get; init; } = new Dictionary<string, string>();

    internal IReadOnlyList<OpenDescriptor> Descriptors { get; init; } = [];

    /// <summary>Ids of the mounts that it can see.</summary>
    internal IReadOnlySet<int> MountIds { get; init; } = new HashSet<int>();

    /// <summary>True when its root is an overlay.</summary>
    internal bool HasOverlayRoot { get; init; }

    /// <summary>Paths of files and devices mapped into its memory.</summary>
    internal IReadOnlyList<string> MappedFiles { get; init; } = [];

    /// <summary>The lowest of its mappings with code is shared, and the process itself may not write to it.</summary>
    internal bool IsFirstCodeShared { get; init; }
}
