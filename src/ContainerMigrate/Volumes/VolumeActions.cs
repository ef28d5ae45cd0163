namespace ContainerMigrate.Volumes;

/// <summary>What becomes of the files behind a mount.</summary>
public static class VolumeActions
{
    /// <summary>Not decided yet: that depends on what the destination has.</summary>
    public const string Auto = "auto";

    /// <summary>They go along; the destination has none of its own there.</summary>
    public const string Copy = "copy";

    /// <summary>They go along; what the destination has there is put aside, and removed once the container has arrived.</summary>
    public const string Replace = "replace";

    /// <summary>Both hosts see the same storage.</summary>
    public const string Shared = "shared";

    /// <summary>The destination gets an empty directory.</summary>
    public const string Empty = "empty";

    /// <summary>The destination's own are used, whatever they are.</summary>
    public const string Skip = "skip";

    /// <summary>The same files are on both hosts, and nobody can write to them through the mount.</summary>
    public const string Same = "same";

    /// <summary>Those that an operator may ask for.</summary>
    public static IReadOnlyList<string> Words { get; } = [Copy, Shared, Empty, Skip, Replace];

    /// <summary>Every action there is.</summary>
    public static IReadOnlyList<string> All { get; } = [Auto, .. Words, Same];
}
