namespace ContainerMigrate.Storage;

/// <summary>
/// A round of files as it travels: several trees in one stream. <code>
/// round = (Volume, u16 number, tree)* (Layer, tree | End)
/// </code>
/// where a tree is a <see cref="TreeStreamFormat"/> stream, and a volume's number its place in <see cref="Containers.ContainerManifest.GetCopiedMounts"/>.
/// </summary>
internal static class TreesFormat
{
    /// <summary>The writable layer follows, and nothing else.</summary>
    public const byte Layer = 0;

    /// <summary>Nothing follows.</summary>
    public const byte End = 1;

    /// <summary>A volume follows.</summary>
    public const byte Volume = 2;

    /// <summary>Stands for the layer where trees are asked for by number; no volume has it.</summary>
    public const int LayerNumber = ushort.MaxValue;
}
