namespace ContainerMigrate.Memory;

/// <summary>What a run of a page stream says of its pages.</summary>
public enum PageRunKind
{
    /// <summary>Their content is in the frame.</summary>
    Data = 0,

    /// <summary>They hold zeros.</summary>
    Zero = 1,

    /// <summary>They are not there any more.</summary>
    Dropped = 2,
}
