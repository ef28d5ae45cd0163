using ContainerMigrate.Volumes;

namespace ContainerMigrate.Containers;

/// <summary>A mount that the runtime gave the container.</summary>
/// <param name="Kind"><c>bind</c>, <c>volume</c>, <c>tmpfs</c>, ...</param>
/// <param name="Source">Path on the host, or the volume's name.</param>
/// <param name="Target">Path inside the container.</param>
/// <param name="ReadOnly">True when the container cannot write there.</param>
public sealed record MountDescription(string Kind, string Source, string Target, bool ReadOnly)
{
    /// <summary>One of <see cref="VolumeActions"/>; <see cref="VolumeActions.Auto"/> until both hosts were asked.</summary>
    public string Action { get; init => field = value ?? VolumeActions.Auto; } = VolumeActions.Auto;

    /// <summary>A volume that the runtime named itself, and that belongs to this container alone.</summary>
    public bool IsAnonymous { get; init; }

    /// <summary>Of a volume: its driver.</summary>
    public string Driver { get; init => field = value ?? ""; } = "";

    /// <summary>Of a volume: its driver was given options, so that its files lie elsewhere.</summary>
    public bool HasDriverOptions { get; init; }

    /// <summary>Of a volume.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init => field = value ?? new Dictionary<string, string>(); } = new Dictionary<string, string>();

    /// <summary>What the source has there.</summary>
    public PlaceKind Content { get; init; } = PlaceKind.Directory;

    /// <summary>Content of its files, and their number with directories and links; 0 when nobody has counted.</summary>
    public long Bytes { get; init; }

    /// <inheritdoc cref="Bytes"/>
    public long Entries { get; init; }

    /// <summary>Digest of a read-only mount's content, where it is small; empty otherwise.</summary>
    public string Fingerprint { get; init => field = value ?? ""; } = "";

    /// <summary>Name of a file that the source has left there for the destination to look for; empty for none.</summary>
    public string Token { get; init => field = value ?? ""; } = "";

    /// <summary>Its files are outside of the container: a directory of the host or a volume.</summary>
    public bool HasFiles => Kind is "bind" or "volume";

    /// <summary>Its files go along.</summary>
    public bool IsCopied => HasFiles && Action is VolumeActions.Copy or VolumeActions.Replace;

    /// <summary>It is one file of the host, not a directory.</summary>
    public bool IsFile => Kind == "bind" && Content == PlaceKind.File;

    /// <summary>The destination gets a place of the container's own for it.</summary>
    public bool IsMade => IsCopied || (HasFiles && Action == VolumeActions.Empty);

    /// <summary>What an operator calls it.</summary>
    public string Name => Kind == "volume" && !IsAnonymous ? Source : Target;
}
