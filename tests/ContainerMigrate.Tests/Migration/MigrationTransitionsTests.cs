using ContainerMigrate.Migration;
using Shouldly;
using Xunit;
using static ContainerMigrate.Migration.MigrationPhase;

namespace ContainerMigrate.Tests.Migration;

public sealed class MigrationTransitionsTests
{
    private static readonly MigrationPhase[] All = Enum.GetValues<MigrationPhase>();

    private static readonly HashSet<(MigrationPhase From, MigrationPhase To)> Source =
    [
        (New, Planned), (New, Aborted), (Planned, PreCopy), (Planned, Aborted), (PreCopy, PreCopy), (PreCopy, Frozen), (PreCopy, Aborted), (Frozen, Go), (Frozen, Aborted),
        (Go, InDoubt), (Go, Committed), (Go, Aborted), (InDoubt, Committed), (InDoubt, Aborted), (Committed, Destroyed), (Destroyed, Done),
    ];

    private static readonly HashSet<(MigrationPhase From, MigrationPhase To)> Destination =
    [
        (New, Reserved), (New, Aborted), (Reserved, Reserved), (Reserved, Receiving), (Reserved, Aborted), (Receiving, Receiving), (Receiving, Prepared), (Receiving, Aborted),
        (Prepared, Committed), (Prepared, Aborted), (Committed, Committed), (Committed, Done), (Committed, Aborted),
    ];

    [Theory]
    [InlineData(MigrationRole.Source)]
    [InlineData(MigrationRole.Destination)]
    public void AllowsTheseStepsAndNoOther(MigrationRole role)
    {
        var expected = role == MigrationRole.Source ? Source : Destination;
        foreach (var from in All)
        {
            foreach (var to in All)
            {
                MigrationTransitions.IsAllowed(role, from, to).ShouldBe(expected.Contains((from, to)), $"{role}: {from} -> {to}");
            }
        }
    }

    [Fact]
    public void EveryPhaseIsReachedByOneOfTheTwo() =>
        Reach(MigrationRole.Source).Union(Reach(MigrationRole.Destination)).Order().ShouldBe(All.Order());

    [Theory]
    [InlineData(MigrationRole.Source)]
    [InlineData(MigrationRole.Destination)]
    public void EveryPhaseLeadsToAnEnd(MigrationRole role)
    {
        foreach (var phase in Reach(role))
        {
            Reach(role, phase).ShouldContain(p => MigrationTransitions.IsFinal(p), $"{role}: {phase}");
        }
    }

    [Fact]
    public void NothingFollowsAnEnd()
    {
        All.Where(MigrationTransitions.IsFinal).Order().ShouldBe(new[] { Done, Aborted }.Order());
        foreach (var role in Enum.GetValues<MigrationRole>())
        {
            Reach(role, Done).ShouldBe([Done]);
            Reach(role, Aborted).ShouldBe([Aborted]);
        }
    }

    [Fact]
    public void TheSourceNeverTakesBackWhatTheDestinationHasSaid() => Reach(MigrationRole.Source, Committed).ShouldNotContain(Aborted);

    [Fact]
    public void SourceIsDestroyedOnlyAfterGoAndCommit()
    {
        Reach(MigrationRole.Source, New, without: Go).ShouldNotContain(Destroyed);
        Reach(MigrationRole.Source, New, without: Committed).ShouldNotContain(Destroyed);
    }

    [Fact]
    public void DestinationCommitsOnlyWhatWasPrepared() => Reach(MigrationRole.Destination, New, without: Prepared).ShouldNotContain(Committed);

    private static HashSet<MigrationPhase> Reach(MigrationRole role, MigrationPhase from = New, MigrationPhase? without = null)
    {
        var reached = new HashSet<MigrationPhase> { from };
        var open = new Queue<MigrationPhase>([from]);
        while (open.TryDequeue(out var phase))
        {
            foreach (var next in All.Where(p => p != without && MigrationTransitions.IsAllowed(role, phase, p)))
            {
                if (reached.Add(next))
                {
                    open.Enqueue(next);
                }
            }
        }

        return reached;
    }
}
