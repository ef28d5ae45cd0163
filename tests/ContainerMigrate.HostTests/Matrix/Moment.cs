namespace ContainerMigrate.HostTests.Matrix;

/// <summary>A transition of the table "Who owns the container", at which a migration is held while something happens to it.</summary>
/// <param name="Name">As in the report.</param>
/// <param name="AtDestination">Which daemon is held.</param>
/// <param name="Point">The fault point.</param>
/// <param name="Owner">Whose the container is then.</param>
/// <param name="InCriu">From there the migration goes on until CRIU is at work, and CRIU is stopped.</param>
public sealed record Moment(string Name, bool AtDestination, string Point, Owner Owner, bool InCriu = false)
{
    /// <summary>All, in the order of the table; what happens to memory that was left behind (6p) is in <see cref="PostCopyTests"/>.</summary>
    public static IReadOnlyList<Moment> All { get; } =
    [
        new("1 planned, reserved", false, "peer.Send.Probe:before", Owner.Source),
        new("2 pre-copy", false, "peer.Send.Memory:before", Owner.Source),
        new("3 frozen", false, "fence.Raise:after", Owner.Source),
        new("3 frozen, dumping", false, "fence.Raise:after", Owner.Source, InCriu: true),
        new("3 frozen, sent", false, "peer.Prepare:before", Owner.Source),
        new("4 receiving, restoring", true, "target.Restore:before", Owner.Source, InCriu: true),
        new("4 prepared", false, "source.record.Go:before", Owner.Source),
        new("5 go recorded", false, "source.record.Go:after", Owner.Undecided),
        new("5 go heard", true, "target.ClaimCommit:before", Owner.Undecided),
        new("6 claimed", true, "destination.record.Committed:before", Owner.Destination),
        new("6 committed, not run", true, "destination.record.Committed:after", Owner.Destination),
        new("6 runs, source not told", true, "target.Finish:before", Owner.Destination),
        new("6 source told", false, "source.record.Committed:after", Owner.Destination),
        new("7 source's copy gone", false, "source.record.Destroyed:before", Owner.Destination),
        new("7 destroyed", false, "source.record.Destroyed:after", Owner.Destination),
        new("7 destination done", false, "source.record.Done:before", Owner.Destination),
    ];

    public override string ToString() => Name;
}

/// <summary>Who may run the container.</summary>
public enum Owner
{
    Source,

    /// <summary>Go is recorded, nothing is claimed: the destination decides.</summary>
    Undecided,

    Destination,
}
