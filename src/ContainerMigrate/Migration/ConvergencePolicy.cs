namespace ContainerMigrate.Migration;

/// <summary>
/// Decides after each scan of a running container's memory whether to copy once more or to freeze it now. Keeps what it has seen;
/// one object a migration.
/// </summary>
/// <param name="maxDowntime">The pause that the operator accepts.</param>
public sealed class ConvergencePolicy(TimeSpan maxDowntime)
{
    // A round that leaves more than this share of the one before has not helped: half of what is copied is dirtied again meanwhile.
    private const double WorthwhileShare = 0.8;

    // Two such rounds in a row are needed, since a container may be busier for a moment.
    private const int PatienceRounds = 2;

    // Below this share of the pause, copying decides nothing any more.
    private const double NegligibleShare = 0.05;

    private const int MaxRounds = 50;

    private long? _leastBytes;
    private int _futileRounds;
    private int _rounds;

    /// <summary>What to do with what the last scan has found.</summary>
    /// <param name="dirtyBytes">Found dirty, and not at the destination yet.</param>
    /// <param name="copyMs">How long sending it would take.</param>
    /// <param name="predictedPauseMs">Pause if the container were frozen now, <paramref name="copyMs"/> included.</param>
    /// <param name="isLate">The time allowed for copying ahead has passed.</param>
    public ConvergenceDecision Decide(long dirtyBytes, double copyMs, double predictedPauseMs, bool isLate)
    {
        if (_leastBytes is { } least && dirtyBytes > WorthwhileShare * least)
        {
            _futileRounds++;
        }
        else
        {
            _futileRounds = 0;
        }

        _leastBytes = Math.Min(_leastBytes ?? dirtyBytes, dirtyBytes);
        var limitMs = maxDowntime.TotalMilliseconds;
        if (predictedPauseMs <= limitMs)
        {
            return new(ConvergenceStep.SwitchOver, FormattableString.Invariant($"a pause of {predictedPauseMs:0} ms fits the limit of {limitMs:0}"));
        }

        if (copyMs <= NegligibleShare * predictedPauseMs)
        {
            // Only what more rounds cannot shorten is left, so the limit is no reason to go on, nor one to call this a stall.
            return new(ConvergenceStep.SwitchOver, FormattableString.Invariant($"of a pause of {predictedPauseMs:0} ms memory takes only {copyMs:0}"));
        }

        if (isLate)
        {
            return new(ConvergenceStep.Stalled, "the time allowed for copying ahead has passed");
        }

        if (_futileRounds >= PatienceRounds)
        {
            return new(ConvergenceStep.Stalled, FormattableString.Invariant($"memory is dirtied as fast as it is copied: the pause would be {predictedPauseMs:0} ms, the limit is {limitMs:0}"));
        }

        return ++_rounds >= MaxRounds
            ? new(ConvergenceStep.Stalled, FormattableString.Invariant($"{MaxRounds} rounds have not brought the pause below {limitMs:0} ms"))
            : new(ConvergenceStep.CopyAgain, FormattableString.Invariant($"a pause of {predictedPauseMs:0} ms is over the limit of {limitMs:0}"));
    }

    /// <summary>Something has changed that makes more rounds worthwhile: the container was slowed down.</summary>
    public void BeginAnew()
    {
        _leastBytes = null;
        _futileRounds = 0;
    }
}
