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

    /// <summary>They exist, and have to be asked for: of an announcement, what stays behind for now; of a request, what is wanted.</summary>
    Missing = 3,
}
