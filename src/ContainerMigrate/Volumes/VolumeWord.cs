namespace ContainerMigrate.Volumes;

/// <summary>An operator's word about one mount: <c>NAME=copy</c>.</summary>
/// <param name="Name">A volume's name, or the mount's path in the container.</param>
/// <param name="Action">One of <see cref="VolumeActions.Words"/>.</param>
public sealed record VolumeWord(string Name, string Action)
{
    /// <summary>What one looks like, for messages.</summary>
    public static string Form => $"NAME={string.Join('|', VolumeActions.Words)}, where NAME is a volume's name or the path in the container";

    /// <summary>Null when it is not one.</summary>
    public static VolumeWord? Parse(string? text)
    {
        var equals = text?.LastIndexOf('=') ?? -1; // a path may have one
        return equals > 0 && VolumeActions.Words.Contains(text![(equals + 1)..]) ? new VolumeWord(text[..equals], text[(equals + 1)..]) : null;
    }
}
