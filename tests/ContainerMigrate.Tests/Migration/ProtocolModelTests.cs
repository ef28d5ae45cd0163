using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

/// <summary>Goes through every state that the handover can get into, however messages and crashes fall.</summary>
public sealed class ProtocolModelTests
{
    private const int Crashes = 3;

    private static readonly Lazy<Dictionary<ProtocolState, (ProtocolState From, string Step)>> Reached = new(() => Explore(ProtocolState.Initial(Crashes), new ProtocolModel(lossy: true)));

    [Fact]
    public void SearchIsNotEmpty()
    {
        Reached.Value.Count.ShouldBeGreaterThan(1000);
        foreach (var role in Enum.GetValues<MigrationRole>())
        {
            var phases = Reached.Value.Keys.Select(s => role == MigrationRole.Source ? s.Source : s.Destination).Distinct().ToList();
            phases.ShouldContain(MigrationPhase.Done);
            phases.ShouldContain(MigrationPhase.Aborted);
        }
    }

    [Fact]
    public void ContainerNeverRunsTwice() => Never(RunsTwice);

    [Fact]
    public void OperatorWhoIsMistakenIsWhatTheSearchKnows()
    {
        // Two copies until the hosts reach each other again: that is the risk that `ctmigrate resolve` names.
        Reached.Value.Keys.ShouldContain(s => s.Resolved == Resolution.Mistaken && s.Exists && !s.Frozen && s.Running);
        Reached.Value.Keys.ShouldContain(s => s.Resolved == Resolution.Mistaken && s.Overruled && !s.Running);
        Reached.Value.Keys.ShouldContain(s => s.Resolved == Resolution.Right && s.Source == MigrationPhase.Aborted);
        Reached.Value.Keys.ShouldContain(s => s.Resolved == Resolution.Right && s.Source == MigrationPhase.Done);
    }

    [Fact]
    public void ContainerIsNeverLost() => Never(IsLost);

    [Fact]
    public void NeitherSideTakesBackWhatTheOtherReliesOn()
    {
        Never(s => s.Source is MigrationPhase.Committed or MigrationPhase.Destroyed or MigrationPhase.Done && s.Destination is not (MigrationPhase.Committed or MigrationPhase.Done)
            && s is not { Destination: MigrationPhase.Prepared, Running: true, Resolved: Resolution.Right }); // an operator may see it run before the record
        Never(s => s.Source == MigrationPhase.Aborted && s.Resolved != Resolution.Mistaken && (s.Destination is MigrationPhase.Committed or MigrationPhase.Done));
        Never(s => s.Source == MigrationPhase.Aborted && s.Destination == MigrationPhase.Done);
    }

    [Theory]
    [InlineData(ProtocolFlaw.SourceThawsInDoubt)]
    [InlineData(ProtocolFlaw.SourceAbortsGoOnRestart)]
    [InlineData(ProtocolFlaw.DestinationGivesUpUnseen)]
    [InlineData(ProtocolFlaw.SourceDestroysWithoutAnAnswer)]
    public void BrokenRuleWouldBeFound(ProtocolFlaw flaw) =>
        Explore(ProtocolState.Initial(Crashes), new ProtocolModel(lossy: true, flaw)).Keys.ShouldContain(s => RunsTwice(s) || IsLost(s));

    [Fact]
    public void FromEverywhereBothComeToAnEndOnceTheyAreUpAndTheLinkWorks()
    {
        var model = new ProtocolModel(lossy: false);
        var leadsToAnEnd = new Dictionary<ProtocolState, bool>();
        foreach (var state in Reached.Value.Keys)
        {
            var end = FindEnd(state with { Crashes = 0 }, model, leadsToAnEnd);
            end.ShouldBeTrue(end ? "" : Story(state));
        }
    }

    [Theory]
    [InlineData(ProtocolFlaw.DestinationIgnoresTheOperator)]
    [InlineData(ProtocolFlaw.DestinationForgetsTheOperator)]
    public void DestinationThatDoesNotObeyTheOperatorWouldBeFound(ProtocolFlaw flaw)
    {
        var reached = Explore(ProtocolState.Initial(Crashes), new ProtocolModel(lossy: true, flaw)).Keys;
        var known = new Dictionary<ProtocolState, bool>();
        var isStuck = reached.Any(s => !FindEnd(s with { Crashes = 0 }, new ProtocolModel(lossy: false, flaw), known));
        var wasHeld = reached.Where(s => s.Overruled && !s.Running && !s.Held).ToHashSet();
        var runsAgain = reached.Any(s => wasHeld.Contains(s with { Running = false, Overruled = true }) && s is { Resolved: Resolution.Mistaken, Running: true, Overruled: false, Destination: MigrationPhase.Committed });
        (flaw == ProtocolFlaw.DestinationIgnoresTheOperator ? isStuck : runsAgain).ShouldBeTrue();
    }

    // An operator who is mistaken has been warned of it.
    private static bool RunsTwice(ProtocolState s) => s is { Exists: true, Frozen: false, Running: true } and not { Resolved: Resolution.Mistaken };

    private static bool IsLost(ProtocolState s) => s is { Exists: false, Running: false };

    // Breadth first until a state in which both journals have ended; what is known from earlier searches is not searched again.
    private static bool FindEnd(ProtocolState from, ProtocolModel model, Dictionary<ProtocolState, bool> known)
    {
        if (known.TryGetValue(from, out var answer))
        {
            return answer;
        }

        var parents = new Dictionary<ProtocolState, ProtocolState?> { [from] = null };
        var open = new Queue<ProtocolState>([from]);
        while (open.TryDequeue(out var state))
        {
            if (IsEnd(state) || known.GetValueOrDefault(state))
            {
                for (ProtocolState? on = state; on is { } each; on = parents[each])
                {
                    known[each] = true;
                }

                return true;
            }

            foreach (var (_, next) in model.Next(state))
            {
                if (parents.TryAdd(next, state))
                {
                    open.Enqueue(next);
                }
            }
        }

        return known[from] = false;
    }

    private static bool IsEnd(ProtocolState s) =>
        (s.Source, s.Destination) == (MigrationPhase.Done, MigrationPhase.Done) && s is { Exists: false, Running: true }
        || (s.Source, s.Destination) == (MigrationPhase.Aborted, MigrationPhase.Committed) && s is { Resolved: Resolution.Mistaken, Overruled: true, Exists: true, Frozen: false, Running: false, Held: false }
        || (s.Source, s.Destination) == (MigrationPhase.Aborted, MigrationPhase.Aborted) && s is { Exists: true, Frozen: false, Running: false, Held: false };

    private static void Never(Func<ProtocolState, bool> isWrong)
    {
        foreach (var state in Reached.Value.Keys)
        {
            if (isWrong(state))
            {
                Assert.Fail(Story(state));
            }
        }
    }

    private static Dictionary<ProtocolState, (ProtocolState From, string Step)> Explore(ProtocolState initial, ProtocolModel model)
    {
        var reached = new Dictionary<ProtocolState, (ProtocolState, string)> { [initial] = (initial, "begin") };
        var open = new Queue<ProtocolState>([initial]);
        while (open.TryDequeue(out var state))
        {
            foreach (var (step, next) in model.Next(state))
            {
                if (reached.TryAdd(next, (state, step)))
                {
                    open.Enqueue(next);
                }
            }
        }

        return reached;
    }

    // The shortest way there.
    private static string Story(ProtocolState state)
    {
        var steps = new List<string> { state.ToString() };
        for (; Reached.Value[state] is var (from, step) && step != "begin"; state = from)
        {
            steps.Insert(0, step);
        }

        return string.Join('\n', steps);
    }
}
