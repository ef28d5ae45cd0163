using ContainerMigrate.Migration;
using static ContainerMigrate.Migration.MigrationPhase;

namespace ContainerMigrate.Tests.Migration;

/// <summary>What goes from one host to the other.</summary>
internal enum Message
{
    Advance,
    Go,
    Abort,

    /// <summary>An abort of the next epoch: an operator has decided for the source.</summary>
    Overrule,
    Finish,
    IsAborted,
    IsRunning,
    IsDone,
}

/// <summary>Rules that could be broken.</summary>
public enum ProtocolFlaw
{
    None,

    /// <summary>The source gives the container back after GO, when nobody answers.</summary>
    SourceThawsInDoubt,

    /// <summary>A restarted source takes GO back like any other step.</summary>
    SourceAbortsGoOnRestart,

    /// <summary>The destination gives up without looking at what the gate has decided.</summary>
    DestinationGivesUpUnseen,

    /// <summary>The source destroys its copy once GO was sent.</summary>
    SourceDestroysWithoutAnAnswer,

    /// <summary>A destination that has committed goes on although the source's operator has decided otherwise.</summary>
    DestinationIgnoresTheOperator,

    /// <summary>A destination that was overruled forgets that when it is restarted.</summary>
    DestinationForgetsTheOperator,
}

/// <summary>What an operator of the source has decided in doubt.</summary>
internal enum Resolution
{
    None,

    /// <summary>That the container stays, with a destination that can never run it, or that it goes, with one that runs it.</summary>
    Right,

    /// <summary>That the container stays, although the destination runs it, or still may.</summary>
    Mistaken,
}

/// <summary>
/// All that matters of a migration at one moment, on both hosts and between them. Messages are a set: each may come late, twice or never.
/// </summary>
/// <param name="Source">The source's journal.</param>
/// <param name="SourceUp">Whether its daemon lives.</param>
/// <param name="Exists">Whether its copy of the container is there.</param>
/// <param name="Frozen">Whether that copy stands still.</param>
/// <param name="Destination">The destination's journal.</param>
/// <param name="DestinationUp">Whether its daemon lives.</param>
/// <param name="Held">Whether the restored tree waits at the gate.</param>
/// <param name="Decision">The gate's decision: null, true for commit.</param>
/// <param name="Running">Whether the destination's copy runs.</param>
/// <param name="Wire">Bits of the messages that were sent and can still arrive.</param>
/// <param name="Crashes">Crashes that may still happen.</param>
/// <param name="Resolved">An operator's decision.</param>
/// <param name="Overruled">The destination's journal says that its copy is to be held.</param>
internal readonly record struct ProtocolState(
    MigrationPhase Source, bool SourceUp, bool Exists, bool Frozen, MigrationPhase Destination, bool DestinationUp, bool Held, bool? Decision, bool Running, int Wire, int Crashes,
    Resolution Resolved = Resolution.None, bool Overruled = false)
{
    public static ProtocolState Initial(int crashes) => new(Planned, true, true, false, Reserved, true, false, null, false, 0, crashes);

    public bool Has(Message message) => (Wire & (1 << (int)message)) != 0;

    public ProtocolState Send(Message message) => this with { Wire = Wire | (1 << (int)message) };
}

/// <summary>
/// The handover as steps that can come in any order: the rules of SourceMigration, SourceHandover, SourceRecovery, TargetMigration and of
/// the hook at the gate, each record and each effect a step of its own, each through the one table of transitions.
/// </summary>
/// <param name="lossy">Whether messages get lost and daemons crash; without, only what leads to an end is left.</param>
/// <param name="flaw">A rule that is broken on purpose, to see that the search would find it.</param>
internal sealed class ProtocolModel(bool lossy, ProtocolFlaw flaw = ProtocolFlaw.None)
{
    /// <summary>Everything that can happen next, with its name.</summary>
    public IEnumerable<(string Step, ProtocolState Next)> Next(ProtocolState s)
    {
        foreach (var step in SourceSteps(s).Concat(DestinationSteps(s)).Concat(GateSteps(s)))
        {
            yield return step;
        }

        if (lossy)
        {
            foreach (var message in Enum.GetValues<Message>().Where(s.Has))
            {
                yield return ($"{message} is lost", s with { Wire = s.Wire & ~(1 << (int)message) });
            }

            if (s is { SourceUp: true, Crashes: > 0 })
            {
                yield return ("source crashes", s with { SourceUp = false, Crashes = s.Crashes - 1 });
            }

            if (s is { DestinationUp: true, Crashes: > 0 })
            {
                yield return ("destination crashes", s with { DestinationUp = false, Crashes = s.Crashes - 1 });
            }
        }
    }

    private IEnumerable<(string Step, ProtocolState Next)> SourceSteps(ProtocolState s)
    {
        if (!s.SourceUp)
        {
            // Recovery: before GO the abort is the first thing recorded.
            var undoes = s.Source < Go || (s.Source == Go && flaw == ProtocolFlaw.SourceAbortsGoOnRestart);
            yield return ("source restarts", (undoes ? Record(MigrationRole.Source, s, Aborted) : s) with { SourceUp = true });
            yield break;
        }

        if (s is { Source: InDoubt, Frozen: true } && flaw == ProtocolFlaw.SourceThawsInDoubt)
        {
            yield return ("source thaws in doubt", s with { Frozen = false });
        }

        if (s is { Source: Go, Exists: true } && flaw == ProtocolFlaw.SourceDestroysWithoutAnAnswer)
        {
            yield return ("source destroys its copy at GO", s with { Exists = false, Frozen = false });
        }

        switch (s.Source)
        {
            case Planned:
                yield return ("source records PreCopy", Record(MigrationRole.Source, s, PreCopy).Send(Message.Advance));
                yield return ("source aborts", Record(MigrationRole.Source, s, Aborted).Send(Message.Abort));
                break;
            case PreCopy:
                yield return ("source records Frozen", Record(MigrationRole.Source, s, MigrationPhase.Frozen));
                yield return ("source aborts", Record(MigrationRole.Source, s, Aborted).Send(Message.Abort));
                break;
            case MigrationPhase.Frozen when !s.Frozen:
                yield return ("source freezes", (s with { Frozen = true }).Send(Message.Advance));
                yield return ("source aborts", Record(MigrationRole.Source, s, Aborted).Send(Message.Abort));
                break;
            case MigrationPhase.Frozen:
                // Prepared is known by its answer; a source that believes in more than that is a source that offers too early, which must be safe too.
                yield return ("source records GO", Record(MigrationRole.Source, s, Go).Send(Message.Go));
                yield return ("source aborts", Record(MigrationRole.Source, s, Aborted).Send(Message.Abort));
                break;
            case Go or InDoubt:
                if (lossy && s.Source == InDoubt)
                {
                    // Nothing leads from there to a copy that runs on the destination.
                    var isSafe = s.Destination == Aborted || s.Decision == false || s is { DestinationUp: false, Decision: null, Held: false, Destination: < Prepared };
                    yield return ("operator decides for the source", Record(MigrationRole.Source, s, Aborted) with { Resolved = isSafe ? Resolution.Right : Resolution.Mistaken });
                    if (s.Running)
                    {
                        yield return ("operator decides for the destination", Record(MigrationRole.Source, s, Committed) with { Resolved = Resolution.Right });
                    }
                }

                yield return ("source asks", (s.Source == Go ? Record(MigrationRole.Source, s, InDoubt) : s).Send(Message.Go));
                if (s.Has(Message.IsRunning))
                {
                    yield return ("source hears of the commit", Record(MigrationRole.Source, s, Committed));
                }

                if (s.Has(Message.IsAborted))
                {
                    yield return ("source hears of the abort", Record(MigrationRole.Source, s, Aborted));
                }

                break;
            case Committed when s.Exists:
                yield return ("source destroys its copy", s with { Exists = false, Frozen = false });
                break;
            case Committed:
                yield return ("source records Destroyed", Record(MigrationRole.Source, s, Destroyed).Send(Message.Finish));
                break;
            case Destroyed:
                yield return ("source says finish", s.Send(Message.Finish));
                if (s.Has(Message.IsDone))
                {
                    yield return ("source records Done", Record(MigrationRole.Source, s, Done));
                }

                break;
            case Aborted:
                if (s.Frozen)
                {
                    yield return ("source thaws", s with { Frozen = false });
                }

                yield return ("source says abort", s.Send(s.Resolved == Resolution.None ? Message.Abort : Message.Overrule));
                break;
        }
    }

    private IEnumerable<(string Step, ProtocolState Next)> DestinationSteps(ProtocolState s)
    {
        if (!s.DestinationUp)
        {
            var up = s with { DestinationUp = true };
            yield return ("destination restarts", up.Destination switch
            {
                Committed when up.Overruled && flaw == ProtocolFlaw.DestinationForgetsTheOperator => up with { Overruled = false, Running = true },
                Prepared when up.Running => Record(MigrationRole.Destination, up, Committed),
                < Committed => GiveUp(up),
                _ => up,
            });
            yield break;
        }

        if (s.Has(Message.Advance))
        {
            switch (s.Destination)
            {
                case Reserved:
                    yield return ("destination receives", Record(MigrationRole.Destination, s, Receiving));
                    break;
                case Receiving when !s.Held && s.Decision is null:
                    yield return ("destination restores", s with { Held = true });
                    break;
                case Receiving when s.Held:
                    yield return ("destination records Prepared", Record(MigrationRole.Destination, s, Prepared));
                    break;
            }
        }

        if (s.Has(Message.Go))
        {
            switch (s.Destination)
            {
                // The claim and its record are two steps: a crash may come between them.
                case Prepared when s.Decision is null:
                    yield return ("destination claims", s with { Decision = s.Held });
                    break;
                case Prepared when s.Decision == true:
                    yield return ("destination records Committed", Record(MigrationRole.Destination, s, Committed));
                    break;
                case Prepared:
                    yield return ("destination gives up", GiveUp(s));
                    break;
                case < Prepared:
                    yield return ("destination was not ready", GiveUp(s));
                    break;
                case Aborted:
                    yield return ("destination says aborted", s.Send(Message.IsAborted));
                    break;
                case Committed when s.Running && !s.Overruled:
                    yield return ("destination says running", s.Send(Message.IsRunning));
                    break;
                case Done:
                    yield return ("destination says done", s.Send(Message.IsRunning));
                    break;
            }
        }

        if (s.Has(Message.Overrule))
        {
            if (s.Destination < Committed)
            {
                yield return ("destination hears of the operator", GiveUp(s));
            }
            else if (s is { Destination: Committed, Overruled: false } && flaw != ProtocolFlaw.DestinationIgnoresTheOperator)
            {
                yield return ("destination records that it is overruled", s with { Overruled = true });
            }
        }

        if (s.Overruled && (s.Running || s.Held))
        {
            yield return ("destination holds its copy", s with { Running = false, Held = false });
        }

        if (s.Destination == Committed && !s.Running && !s.Overruled)
        {
            yield return ("destination opens the gate", s with { Running = true, Held = false });
        }

        if (s.Destination < Committed)
        {
            yield return ("lease ends", GiveUp(s));
            if (s.Has(Message.Abort))
            {
                yield return ("destination hears of the abort", GiveUp(s));
            }
        }

        if (s.Has(Message.Finish) && s.Destination is Committed && s.Running && !s.Overruled)
        {
            yield return ("destination records Done", Record(MigrationRole.Destination, s, Done).Send(Message.IsDone));
        }

        if (s.Has(Message.Finish) && s.Destination is Done)
        {
            yield return ("destination says done again", s.Send(Message.IsDone));
        }
    }

    // The hook waits for a bounded time and then does what was decided.
    private static IEnumerable<(string Step, ProtocolState Next)> GateSteps(ProtocolState s)
    {
        if (s.Held)
        {
            var commit = s.Decision ?? false;
            yield return ("gate gives up waiting", s with { Decision = commit, Held = false, Running = commit });
            if (s.Decision is null)
            {
                yield return ("held tree dies", s with { Held = false });
            }
        }
    }

    private ProtocolState GiveUp(ProtocolState s)
    {
        if (flaw == ProtocolFlaw.DestinationGivesUpUnseen)
        {
            return Record(MigrationRole.Destination, s, Aborted);
        }

        return s.Decision == true
            ? Record(MigrationRole.Destination, s, Committed)
            : Record(MigrationRole.Destination, s with { Decision = false, Held = false, Running = false }, Aborted);
    }

    private static ProtocolState Record(MigrationRole role, ProtocolState s, MigrationPhase phase)
    {
        var from = role == MigrationRole.Source ? s.Source : s.Destination;
        if (!MigrationTransitions.IsAllowed(role, from, phase))
        {
            throw new InvalidOperationException($"{role}: no step leads from {from} to {phase} in {s}");
        }

        return role == MigrationRole.Source ? s with { Source = phase } : s with { Destination = phase };
    }
}
