namespace ContainerMigrate.Migration;

/// <summary>The one table of allowed steps; see "Who owns the container" in ARCHITECTURE.md.</summary>
public static class MigrationTransitions
{
    private static readonly Dictionary<MigrationPhase, MigrationPhase[]> Source = new()
    {
        [MigrationPhase.New] = [MigrationPhase.Planned, MigrationPhase.Aborted],
        [MigrationPhase.Planned] = [MigrationPhase.PreCopy, MigrationPhase.Aborted],
        [MigrationPhase.PreCopy] = [MigrationPhase.PreCopy, MigrationPhase.Frozen, MigrationPhase.Aborted],
        [MigrationPhase.Frozen] = [MigrationPhase.Go, MigrationPhase.Aborted],
        // After GO only the destination's durable answer, or an operator's resolve, leads on.
        [MigrationPhase.Go] = [MigrationPhase.InDoubt, MigrationPhase.Committed, MigrationPhase.Aborted],
        [MigrationPhase.InDoubt] = [MigrationPhase.Committed, MigrationPhase.Aborted],
        [MigrationPhase.Committed] = [MigrationPhase.Destroyed],
        [MigrationPhase.Destroyed] = [MigrationPhase.Done],
        [MigrationPhase.Done] = [],
        [MigrationPhase.Aborted] = [],
    };

    private static readonly Dictionary<MigrationPhase, MigrationPhase[]> Destination = new()
    {
        [MigrationPhase.New] = [MigrationPhase.Reserved, MigrationPhase.Aborted],
        [MigrationPhase.Reserved] = [MigrationPhase.Reserved, MigrationPhase.Receiving, MigrationPhase.Aborted],
        // Again: single files get their places.
        [MigrationPhase.Receiving] = [MigrationPhase.Receiving, MigrationPhase.Prepared, MigrationPhase.Aborted],
        [MigrationPhase.Prepared] = [MigrationPhase.Committed, MigrationPhase.Aborted],
        // Again: the container stands still, or goes on, since the source cannot be asked for its memory. Back: the restored tree died before anything of it ran.
        [MigrationPhase.Committed] = [MigrationPhase.Committed, MigrationPhase.Done, MigrationPhase.Aborted],
        [MigrationPhase.Done] = [],
        [MigrationPhase.Aborted] = [],
    };

    /// <summary>True when <paramref name="role"/> may record <paramref name="to"/> after <paramref name="from"/>.</summary>
    public static bool IsAllowed(MigrationRole role, MigrationPhase from, MigrationPhase to) =>
        (role == MigrationRole.Source ? Source : Destination).TryGetValue(from, out var next) && next.Contains(to);

    /// <summary>True when nothing can follow.</summary>
    public static bool IsFinal(MigrationPhase phase) => phase is MigrationPhase.Done or MigrationPhase.Aborted;
}
